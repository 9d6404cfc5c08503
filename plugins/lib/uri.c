/* See uri.h. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "hex.h"
#include "uri.h"

bool etl_uri_decode(struct etl_text *to, const char *encoded, size_t size)
{
	size_t i;

	etl_text_add(to, "");
	for (i = 0; i < size; i++) {
		char c = encoded[i];

		if (c == '%') {
			int high = i + 2 < size ? etl_hex_digit(encoded[i + 1]) : -1;
			int low = high < 0 ? -1 : etl_hex_digit(encoded[i + 2]);

			if (low < 0 || high * 16 + low == 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		etl_text_add_bytes(to, &c, 1);
	}
	return true;
}

int etl_uri_check_query(const struct etl_host *host, const struct etl_conf *conf, const char *plugin, const char *uri,
			struct etl_error *err)
{
	const char *at = strchr(uri, '?');
	char key[64];

	for (at = at ? at + 1 : ""; *at; at += strcspn(at, "&"), at += *at == '&') {
		size_t length = strcspn(at, "=&");

		snprintf(key, sizeof(key), "%.*s",
			 length < sizeof(key) ? (int)length : (int)sizeof(key) - 1, at);
		if (length && !host->given(conf, key))
			return host->fail(err, ETL_USAGE, NULL, 0,
					  "%s: ?%s in the uri sets nothing in a pipeline file; write %s beside uri, if "
					  "it is an option (`etlrun plugins %s`)",
					  plugin, key, key, plugin);
	}
	return ETL_OK;
}
