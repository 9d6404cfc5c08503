/*
 * Prints where each member of the public structs stands, in bytes. tests/abi/check compares it with the
 * checked-in list: a member that moved would break every plugin that was built before.
 */
#include <stdio.h>

#include <etlrun/plugin.h>

#define M(s, member) printf("%s.%s %zu %zu\n", #s, #member, offsetof(struct s, member), sizeof(((struct s *)0)->member));

int main(void)
{
#include "members.def"
	return 0;
}
