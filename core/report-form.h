/*
 * The forms of a report: each appends itself to a text, which carries `failed` when memory ran out.
 * Between the files report*.c, and for who writes as they do.
 */
#ifndef CORE_REPORT_FORM_H
#define CORE_REPORT_FORM_H

#include <etlrun/helpers.h>

#include "report.h"

void report_text(const struct report *, struct etl_text *);
void report_json(const struct report *, struct etl_text *);
void report_csv(const struct report *, struct etl_text *);

/* The sums of all tables; name and checks are NULL. */
struct report_line report_total(const struct report *);
/* read + created = loaded + filtered + merged + rejected, and so through every step on the way; always true of a step and of what was only compared. */
bool report_adds_up(const struct report_line *);
/* It is the report of `validate`, which loads nothing. */
bool report_compares(const struct report *);
/* "pass", "warn", "fail". */
const char *report_severity(int32_t severity);
/* Rows a second, 0 when no time passed. */
uint64_t report_rate(uint64_t rows, double seconds);
/* Seconds with three decimals, whatever the locale. */
void report_add_seconds(struct etl_text *, double seconds);
/* 1,234,567. */
void report_add_grouped(struct etl_text *, uint64_t);
/* A text with every known secret masked; NULL becomes "". The caller frees; NULL: no memory. */
char *report_redacted(const char *text);

#endif
