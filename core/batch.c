/*
 * The Arrow rules this keeps: a child may be moved out of a parent that is released afterwards, and
 * a released child has no release. So a batch with one column more or less is a new parent over the
 * moved children.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "batch.h"

/* One block: the children and the pointers to them, and the buffer list of the struct itself. */
struct parent {
	const void *no_validity[1];
	struct ArrowArray **pointers;
	struct ArrowArray *children;
};

static void parent_release(struct ArrowArray *array)
{
	struct parent *parent = array->private_data;

	for (int64_t i = 0; i < array->n_children; i++)
		if (array->children[i]->release)
			array->children[i]->release(array->children[i]);
	free(parent->pointers);
	free(parent->children);
	free(parent);
	array->release = NULL;
}

static bool parent_make(struct ArrowArray *ret, int64_t length, int64_t count)
{
	struct parent *parent = calloc(1, sizeof(*parent));
	size_t places = (size_t)count + 1;

	if (parent) {
		parent->pointers = calloc(places, sizeof(*parent->pointers));
		parent->children = calloc(places, sizeof(*parent->children));
	}
	if (!parent || !parent->pointers || !parent->children) {
		if (parent) {
			free(parent->pointers);
			free(parent->children);
		}
		free(parent);
		return false;
	}
	for (int64_t i = 0; i < count; i++)
		parent->pointers[i] = &parent->children[i];
	*ret = (struct ArrowArray){ .length = length,
				    .n_buffers = 1,
				    .n_children = count,
				    .buffers = parent->no_validity,
				    .children = parent->pointers,
				    .release = parent_release,
				    .private_data = parent };
	return true;
}

static void move(struct ArrowArray *to, struct ArrowArray *from)
{
	*to = *from;
	from->release = NULL;
}

bool batch_append(struct ArrowArray *batch, struct ArrowArray *column)
{
	struct ArrowArray made;

	if (!parent_make(&made, batch->length, batch->n_children + 1))
		return false;
	for (int64_t i = 0; i < batch->n_children; i++)
		move(made.children[i], batch->children[i]);
	move(made.children[batch->n_children], column);
	batch->release(batch);
	*batch = made;
	return true;
}

bool batch_detach(struct ArrowArray *batch, struct ArrowArray *ret)
{
	struct ArrowArray made;

	if (!parent_make(&made, batch->length, batch->n_children - 1))
		return false;
	for (int64_t i = 0; i < batch->n_children - 1; i++)
		move(made.children[i], batch->children[i]);
	move(ret, batch->children[batch->n_children - 1]);
	batch->release(batch);
	*batch = made;
	return true;
}

struct numbers {
	const void *buffers[2];
	int64_t values[];
};

static void numbers_release(struct ArrowArray *array)
{
	free(array->private_data);
	array->release = NULL;
}

bool batch_count(struct ArrowArray *ret, int64_t count, int64_t *next, const int64_t *skip,
		 size_t skip_count, size_t *skip_at)
{
	struct numbers *numbers = malloc(sizeof(*numbers) + (size_t)count * sizeof(int64_t));

	if (!numbers)
		return false;
	numbers->buffers[0] = NULL;
	numbers->buffers[1] = numbers->values;
	for (int64_t i = 0; i < count; i++) {
		while (*skip_at < skip_count && skip[*skip_at] == *next) {
			++*skip_at;
			++*next;
		}
		numbers->values[i] = (*next)++;
	}
	*ret = (struct ArrowArray){ .length = count,
				    .n_buffers = 2,
				    .buffers = numbers->buffers,
				    .release = numbers_release,
				    .private_data = numbers };
	return true;
}

const int64_t *batch_int64(const struct ArrowArray *column)
{
	return (const int64_t *)column->buffers[1] + column->offset;
}

/* Bytes of a value that is not text or bytes. */
static int64_t value_width(const char *format)
{
	switch (format[0]) {
	case 'b':
		return 1;
	case 's':
		return 2;
	case 'i':
	case 'f':
		return 4;
	case 'd':
	case 'w':
		return 16;
	default:
		return strcmp(format, "tdD") == 0 ? 4 : 8;
	}
}

int64_t batch_bytes(const struct ArrowSchema *schema, const struct ArrowArray *batch)
{
	int64_t bytes = 0;

	for (int64_t i = 0; i < batch->n_children && i < schema->n_children; i++) {
		const struct ArrowArray *column = batch->children[i];
		const char *format = schema->children[i]->format;

		if (format[0] == 'u' || format[0] == 'z') {
			const int32_t *offsets = (const int32_t *)column->buffers[1] +
						 column->offset;

			bytes += column->length ? offsets[column->length] - offsets[0] : 0;
		} else {
			bytes += column->length * value_width(format);
		}
	}
	return bytes;
}
