# ETLRUN_PLUGIN([NAME])
#
# For a plugin outside etlrun's own tree, after LT_INIT([dlopen disable-static]). Finds etlrun.pc, checks the
# name, and sets
#   ETLRUN_CFLAGS   where the headers are, and what hides everything but the one symbol
#   ETLRUN_LIBS     the archive of helpers
#   ETLRUN_LDFLAGS  how a module is linked: every symbol resolved at once, one of them exported
#   plugindir       where etlrun looks for plugins, below the prefix of this package
AC_DEFUN([ETLRUN_PLUGIN], [
	AC_REQUIRE([PKG_PROG_PKG_CONFIG])
	m4_bmatch([$1], [^[a-z][a-z0-9_]*$], [],
		[m4_fatal([ETLRUN_PLUGIN: "$1" is no name of a plugin: a small letter, then small letters, digits or _])])
	PKG_CHECK_MODULES([ETLRUN], [etlrun >= 0.1])
	ETLRUN_CFLAGS="$ETLRUN_CFLAGS -fvisibility=hidden"
	ETLRUN_LDFLAGS="-module -avoid-version -shrext .so -Wl,-z,defs -Wl,-z,now -export-symbols-regex '_LTX_etl_plugin\$\$'"
	AC_SUBST([ETLRUN_LDFLAGS])
	AC_SUBST([plugindir], ['${libdir}/etlrun/plugins-1'])
])
