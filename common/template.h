/* Room and key templates of the routing table: literal text with fields of the event's data.
 *   prices:{chainId}:{token}      a field (string or number; a number keeps its text)
 *   order:{order.id}              a nested field
 *   user:{userIds[]}              each element of an array: one result each
 *   user:{members[].id}           a field of each element of an array
 * At most one array and 16 fields a template; names have no dot, bracket, brace or blank. Compiled once,
 * expanded for every event without allocation. */
#ifndef MOONX_COMMON_TEMPLATE_H
#define MOONX_COMMON_TEMPLATE_H

#include "common/base.h"
#include "common/json.h"

#define TEMPLATE_MAX_BYTES 512

struct template;

/* *error (static text) says what is wrong. -EINVAL, -ENOMEM. */
int template_new(struct span text, struct template **out, const char **error) MUST_CHECK;
void template_free(struct template *template);

/* Whether it has no field: it then makes the same text of every event. */
bool template_is_literal(const struct template *template);
/* What it begins with, up to the first field; lives as long as the template. */
struct span template_beginning(const struct template *template);

/* Calls emit() once for each result (the bytes are valid during the call only). A missing field, null,
 * boolean, object, array or empty string gives no result for that element. Results longer than
 * TEMPLATE_MAX_BYTES are dropped; *dropped (may be NULL) is raised by both. emit returns 0 to go on, anything
 * else stops and is returned. -EEXIST when a field it needs stands twice in its object: then the caller
 * must not use results given before either. */
typedef int template_emit(void *context, struct span result);
int template_expand(const struct template *template, struct json_value data, template_emit *emit,
                    void *context, unsigned *dropped) MUST_CHECK;

#endif
