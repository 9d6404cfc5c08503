/* The hash that PostgreSQL's hashtextextended(text, 0) computes. */
#ifndef CORE_LOOKUP3_H
#define CORE_LOOKUP3_H

#include <stddef.h>
#include <stdint.h>

uint64_t lookup3_hash(const void *bytes, size_t size);

#endif
