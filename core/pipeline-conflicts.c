/*
 * The keys about rows that were changed at both ends, of the top level and of an entry of `tables`.
 */
#include "config.h"

#include <stdlib.h>

#include "pipeline-parts.h"

#define SKEW_DEFAULT 5000 /* milliseconds */

int pipeline_conflicts(const struct pipeline *p, const struct etl_conf *conf, const config_setting_t *in,
		       struct conflict_rule *ret, struct etl_error *err)
{
	static const char *const policies[] = { "source", "target", "newest", "park", NULL };
	static const char *const keys[] = { "conflicts", "newest", "clock_skew", "row_hashes" };
	int status = pipeline_text(conf, "newest", &ret->newest, err);

	ret->has_policy = conf_given(conf, "conflicts");
	ret->has_newest = conf_given(conf, "newest");
	ret->has_skew = conf_given(conf, "clock_skew");
	ret->has_hashes = conf_given(conf, "row_hashes");
	ret->policy = pipeline_choice(conf, "conflicts", policies, CONFLICTS_SOURCE);
	ret->skew = ret->has_skew ? conf_num(conf, "clock_skew") : SKEW_DEFAULT;
	ret->hashes = conf_flag(conf, "row_hashes") != 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys) && status == ETL_OK; i++)
		status = pipeline_syncs_only(p, in, keys[i], err);
	return status;
}

void conflict_rule_clear(struct conflict_rule *rule)
{
	free(rule->newest);
}

void conflict_rule_under(struct conflict_rule *rule, const struct conflict_rule *under)
{
	if (!rule->has_policy)
		rule->policy = under->policy;
	if (!rule->has_newest)
		rule->newest = under->newest;
	if (!rule->has_skew)
		rule->skew = under->skew;
	if (!rule->has_hashes)
		rule->hashes = under->hashes;
	rule->has_policy |= under->has_policy;
	rule->has_newest |= under->has_newest;
	rule->has_skew |= under->has_skew;
	rule->has_hashes |= under->has_hashes;
}
