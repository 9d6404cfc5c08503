/* How many bytes a value of a type takes in its buffer: one answer for builders and views. */
#ifndef LIB_WIDTH_H
#define LIB_WIDTH_H

#include <etlrun/plugin.h>

/* Bytes of a fixed-width value; 0: variable; -1: one bit. */
static inline int32_t width_of(int32_t type)
{
	switch (type) {
	case ETL_BOOL:
		return -1;
	case ETL_INT16:
		return 2;
	case ETL_INT32:
	case ETL_FLOAT32:
	case ETL_DATE:
		return 4;
	case ETL_INT64:
	case ETL_FLOAT64:
	case ETL_TIME:
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
		return 8;
	case ETL_DECIMAL:
	case ETL_UUID:
		return 16;
	default:
		return 0;
	}
}

#endif
