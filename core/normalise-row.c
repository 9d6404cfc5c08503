/*
 * What stands in for the optional members of transform and validator: the same shape, the same
 * rows, nothing found.
 */
#include "config.h"

#include <stddef.h>

#include "normalise.h"

static int same_shape(struct etl_instance *i, const struct etl_table *in,
		      struct etl_table_sink *sink, struct etl_error *err)
{
	(void)i;
	(void)err;
	return sink->emit(sink, in);
}

static int pass_through(struct etl_instance *i, const struct etl_wrap *wrap,
			struct ArrowArrayStream *in, struct ArrowArrayStream *out,
			struct etl_error *err)
{
	(void)i;
	(void)wrap;
	(void)err;
	*out = *in;
	in->release = NULL;
	return ETL_OK;
}

static int find_nothing(struct etl_instance *i, struct etl_peer *from, struct etl_peer *into,
			struct etl_finding_sink *sink, struct etl_error *err)
{
	(void)i;
	(void)from;
	(void)into;
	(void)sink;
	(void)err;
	return ETL_OK;
}

static int need_nothing(struct etl_instance *i, struct etl_needs *ret, struct etl_error *err)
{
	(void)i;
	(void)err;
	*ret = (struct etl_needs){ .hash = 0 };
	return ETL_OK;
}

static int any_split(struct etl_instance *i)
{
	(void)i;
	return 0;
}

static int inspect_nothing(struct etl_instance *i, const struct etl_table *table,
			   struct etl_reference_sink *sink, struct etl_error *err)
{
	(void)i;
	(void)table;
	(void)sink;
	(void)err;
	return ETL_OK;
}

static int fill_transform(struct plugin *p, struct etl_error *err)
{
	const struct etl_transform *from = p->base.transform;
	const struct table_copy copy = { "struct etl_transform", from->size,
					 THROUGH(struct etl_transform, wrap),
					 sizeof(p->transform) };

	if (normalise_table(&copy, &p->transform, from, err) < 0)
		return ETL_FAILED;
	if (!p->transform.wrap)
		return normalise_missing("transform.wrap", err);
	p->has_transform = true;
	p->can_derive = p->transform.derive;
	if (!p->can_derive)
		p->transform.derive = same_shape;
	if (!p->transform.whole)
		p->transform.whole = any_split;
	p->can_map = p->transform.maps;
	return ETL_OK;
}

static int fill_validator(struct plugin *p, struct etl_error *err)
{
	const struct etl_validator *from = p->base.validator;
	const struct table_copy copy = { "struct etl_validator", from->size,
					 THROUGH(struct etl_validator, wrap),
					 sizeof(p->validator) };

	if (normalise_table(&copy, &p->validator, from, err) < 0)
		return ETL_FAILED;
	p->can_wrap = p->validator.wrap;
	p->can_check = p->validator.check;
	p->can_needs = p->validator.needs;
	if (!p->can_wrap && !p->can_check)
		return normalise_missing("one of validator.wrap and validator.check", err);
	p->has_validator = true;
	if (!p->can_wrap)
		p->validator.wrap = pass_through;
	if (!p->can_check)
		p->validator.check = find_nothing;
	if (!p->can_needs)
		p->validator.needs = need_nothing;
	p->can_inspect = p->validator.inspect;
	if (!p->can_inspect)
		p->validator.inspect = inspect_nothing;
	if (!p->can_wrap || !p->validator.whole)
		p->validator.whole = any_split;
	return ETL_OK;
}

int normalise_row(struct plugin *p, struct etl_error *err)
{
	if (p->base.transform && fill_transform(p, err) < 0)
		return ETL_FAILED;
	if (p->base.validator && fill_validator(p, err) < 0)
		return ETL_FAILED;
	return ETL_OK;
}
