# bash completion for etlrun: verbs, options, plugin names, pipeline files, runs.
_etlrun()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' word
	local verbs='run copy check plan discover validate status plugins'
	local common='-v --verbose -q --quiet --log-format --no-progress --summary --set --profile --plugin-path --yes
		-h --help -V --version'
	local what='--dry-run --tables --limit --schema-only --data-only'
	COMPREPLY=()

	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ " $verbs " == *" $word "* ]] && verb=$word && break
	done

	case $prev in
	--log-format)
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return ;;
	--plugin-path)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return ;;
	--summary | -o | --output)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--set | --profile | --tables | --limit)
		return ;;
	esac

	if [[ $cur == -* ]]; then
		case $verb in
		'' | run | plan | copy) mapfile -t COMPREPLY < <(compgen -W "$common $what" -- "$cur") ;;
		discover) mapfile -t COMPREPLY < <(compgen -W "$common -o" -- "$cur") ;;
		*) mapfile -t COMPREPLY < <(compgen -W "$common" -- "$cur") ;;
		esac
		return
	fi

	if [[ $verb == plugins ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" plugins 2>/dev/null | awk '/^[a-z]/ { print $1 }')" -- "$cur")
		return
	fi
	[[ $verb == copy ]] && return
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen -d -- "$cur"; compgen -f -X '!*.cfg' -- "$cur")
	[[ -z $verb ]] && mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$verbs" -- "$cur")
}
complete -F _etlrun etlrun
