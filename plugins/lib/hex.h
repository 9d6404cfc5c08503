/*
 * Hexadecimal digits.
 */
#ifndef LIB_HEX_H
#define LIB_HEX_H

/* The value of a digit, of either case, or -1. */
static inline int etl_hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
