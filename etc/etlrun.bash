# bash completion for etlrun: verbs, options, plugin names, pipeline files. Verbs and options are asked of the
# program itself, so a verb is only offered what it takes.
_etlrun_options()
{
	"$1" ${2:+"$2"} --help 2>/dev/null | sed -n 's/^ *\(-[a-zA-Z]\), \(--[a-z-]*\).*/\1\n\2/p; s/^ *\(--[a-z-]*\).*/\1/p'
}

_etlrun()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} program=${COMP_WORDS[0]} verb='' word verbs
	COMPREPLY=()
	verbs=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')

	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $'\n'$verbs$'\n' == *$'\n'$word$'\n'* ]] && verb=$word && break
	done

	# --log-format=json comes as three words.
	[[ $cur == '=' ]] && cur=''
	[[ $prev == '=' && COMP_CWORD -gt 1 ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
	case $prev in
	--log-format | --format)
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return ;;
	--take)
		mapfile -t COMPREPLY < <(compgen -W 'source target' -- "$cur")
		return ;;
	--level)
		mapfile -t COMPREPLY < <(compgen -W 'error warn info debug' -- "$cur")
		return ;;
	--plugin-path)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return ;;
	--summary | -o | --output | --undo | --save | --from)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--set | --profile | --tables | --limit | --interval | --table | --tail)
		return ;;
	esac

	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_etlrun_options "$program" "${verb:-run}")" -- "$cur")
		return
	fi

	if [[ $verb == plugins ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$program" plugins 2>/dev/null | awk '/^[a-z]/ { print $1 }')" -- "$cur")
		return
	fi
	[[ $verb == copy ]] && return
	if [[ $verb == rejects && $prev == rejects ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'list replay' -- "$cur")
		return
	fi
	if [[ $verb == conflicts && $prev == conflicts ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'list resolve' -- "$cur")
		return
	fi
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen -d -- "$cur"; compgen -f -X '!*.cfg' -- "$cur")
	[[ -z $verb ]] && mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$verbs" -- "$cur")
}
complete -F _etlrun etlrun
