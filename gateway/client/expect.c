#include "gateway/client/expect.h"

#include <stdlib.h>

static int parse_field(struct span text, struct expect *out);
static bool field_matches(const struct expect_field *field, struct json_value object);

int expect_parse(const char *text, struct expect *out) {
    size_t type = strcspn(text, ":");
    struct expect expect = {.text = text, .type = {text, type}};
    if (type == 0) {
        return -EINVAL;
    }
    for (text += type; *text != '\0';) {
        size_t length = strcspn(++text, ",");
        if (parse_field((struct span){text, length}, &expect) != 0) {
            return -EINVAL;
        }
        text += length;
    }
    *out = expect;
    return 0;
}

static int parse_field(struct span text, struct expect *out) {
    const char *equals = text.length == 0 ? NULL : memchr(text.data, '=', text.length);
    if (equals == NULL || out->field_count == EXPECT_MAX_FIELDS) {
        return -EINVAL;
    }
    struct expect_field *field = &out->fields[out->field_count];
    size_t name = (size_t)(equals - text.data);
    if (name == 0 || name >= sizeof(field->path)) {
        return -EINVAL;
    }
    memcpy(field->path, text.data, name);
    field->path[name] = '\0';
    field->value = (struct span){equals + 1, text.length - name - 1};
    out->field_count++;
    return 0;
}

bool expect_matches(const struct expect *expect, const struct envelope *envelope) {
    if (!span_equal(envelope->type, expect->type)) {
        return false;
    }
    for (unsigned i = 0; i < expect->field_count; i++) {
        const struct expect_field *field = &expect->fields[i];
        if (!field_matches(field, envelope->data) && !field_matches(field, envelope->whole)) {
            return false;
        }
    }
    return true;
}

static bool string_equals(struct json_value string, struct span wanted) {
    char *buffer = malloc(wanted.length + 1);
    long length = buffer == NULL ? -ENOMEM : json_unescape(string, buffer, wanted.length + 1);
    bool equal = length >= 0 && span_equal((struct span){buffer, (size_t)length}, wanted);
    free(buffer);
    return equal;
}

static bool value_equals(struct json_value value, struct span wanted) {
    return value.type == JSON_STRING ? string_equals(value, wanted)
                                     : span_equal(value.text, wanted);
}

static bool field_matches(const struct expect_field *field, struct json_value object) {
    char path[EXPECT_PATH_BYTES];
    struct json_value element;
    char *rest;
    size_t cursor = 0;
    memcpy(path, field->path, sizeof(path));
    for (char *name = strtok_r(path, ".", &rest); name != NULL; name = strtok_r(NULL, ".", &rest)) {
        if (json_get(object, name, &object) != 1) {
            return false;
        }
    }
    while (json_next_element(object, &cursor, &element) == 1) {
        if (value_equals(element, field->value)) {
            return true;
        }
    }
    return value_equals(object, field->value);
}
