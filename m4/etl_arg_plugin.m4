# ETL_ARG_PLUGIN(NAME, HELP)
#
# --without-NAME leaves the plugin out. Sets the conditional WITH_NAME, and adds to ETL_PLUGINS or ETL_LEFT_OUT.
AC_DEFUN([ETL_ARG_PLUGIN], [
	AC_ARG_WITH([$1], [AS_HELP_STRING([--without-$1], [leave out $2])], [], [with_$1=yes])
	AM_CONDITIONAL(m4_toupper([WITH_$1]), [test "x$with_$1" != xno])
	AS_IF([test "x$with_$1" != xno],
		[ETL_PLUGINS="${ETL_PLUGINS:+$ETL_PLUGINS }$1"],
		[ETL_LEFT_OUT="${ETL_LEFT_OUT:+$ETL_LEFT_OUT }$1"])
	AC_SUBST([ETL_PLUGINS])
	AC_SUBST([ETL_LEFT_OUT])
])
