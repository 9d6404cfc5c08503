/*
 * The first stage of simdjson, without the rest: it chooses the processor's best code at run time, while the second stage of
 * its On-Demand interface is compiled for the oldest processor that this build must run on, and gives no raw tokens of names.
 * Nothing here throws.
 */
#include <new>

#include <simdjson.h>

#include "marks.h"

using simdjson::error_code;

struct json_marks {
	std::unique_ptr<simdjson::internal::dom_parser_implementation> parser{};
};

/* The first room, and the depth of a stage that is never run. */
static constexpr size_t FIRST_ROOM = 16384, UNUSED_DEPTH = 1;

extern "C" struct json_marks *json_marks_new(void)
{
	struct json_marks *marks = new (std::nothrow) json_marks;

	if (marks && simdjson::get_active_implementation()->create_dom_parser_implementation(
			     FIRST_ROOM, UNUSED_DEPTH, marks->parser) != simdjson::SUCCESS) {
		delete marks;
		return nullptr;
	}
	return marks;
}

extern "C" void json_marks_free(struct json_marks *marks)
{
	delete marks;
}

/* Four bytes of address space a byte of text; only those that are written become memory. */
static error_code make_room(struct json_marks *marks, size_t size)
{
	size_t room = marks->parser->capacity();

	if (size <= room)
		return simdjson::SUCCESS;
	room = size > room * 2 ? size : room * 2;
	return marks->parser->set_capacity(room < simdjson::SIMDJSON_MAXSIZE_BYTES ? room : size);
}

static enum json_marks_result result_of(error_code code)
{
	switch (code) {
	case simdjson::SUCCESS:
		return JSON_MARKS_OK;
	case simdjson::EMPTY:
		return JSON_MARKS_EMPTY;
	case simdjson::UTF8_ERROR:
		return JSON_MARKS_UTF8;
	case simdjson::UNESCAPED_CHARS:
		return JSON_MARKS_CONTROL;
	case simdjson::UNCLOSED_STRING:
		return JSON_MARKS_UNCLOSED;
	case simdjson::CAPACITY:
		return JSON_MARKS_LARGE;
	default:
		return JSON_MARKS_MEMORY;
	}
}

extern "C" enum json_marks_result json_marks_find(struct json_marks *marks, const char *text, size_t size,
						  const uint32_t **ret, size_t *ret_count)
{
	simdjson::internal::dom_parser_implementation *parser = marks->parser.get();
	error_code code;

	if (size == 0)
		return JSON_MARKS_EMPTY;
	code = make_room(marks, size);
	if (code == simdjson::SUCCESS)
		code = parser->stage1(reinterpret_cast<const uint8_t *>(text), size,
				      simdjson::stage1_mode::regular);
	if (code != simdjson::SUCCESS)
		return result_of(code);
	parser->structural_indexes[parser->n_structural_indexes] = static_cast<uint32_t>(size);
	*ret = parser->structural_indexes.get();
	*ret_count = parser->n_structural_indexes;
	return JSON_MARKS_OK;
}
