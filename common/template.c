#include "common/template.h"

#include <stdlib.h>

#define MAX_FIELDS 16
#define MAX_PARTS  (2 * MAX_FIELDS + 1)

/* A run of literal text, or a field. The names of a path stand one after the other in the template's own
 * copy of its text, each ended by a NUL. */
struct part {
    bool field, array;
    struct span literal;
    const char *path; /* from the event's data to the value or, with `array`, to the array */
    unsigned path_length;
    const char *element_path; /* from an element on; of no names: the element itself */
    unsigned element_path_length;
};

struct template {
    unsigned count;
    struct part *array; /* one of parts, or NULL */
    struct part parts[MAX_PARTS];
    char text[]; /* copy, cut up by NULs */
};

/* One expansion while it runs. */
struct expansion {
    const struct template *template;
    struct json_value values[MAX_PARTS];
    template_emit *emit;
    void *context;
    unsigned dropped;
};

static int compile(struct template *template, struct span text, const char **error);
static int resolve(struct json_value from, const char *path, unsigned length,
                   struct json_value *out);
static int resolve_fields(struct expansion *expansion, struct json_value data);
static int emit_elements(struct expansion *expansion, struct json_value array);
static int emit_one(struct expansion *expansion);

int template_new(struct span text, struct template **out, const char **error) {
    struct template *template;
    int result;

    if (text.length == 0 || text.length > TEMPLATE_MAX_BYTES) {
        *error = text.length == 0 ? "an empty template" : "a template of more than 512 bytes";
        return -EINVAL;
    }
    template = calloc(1, sizeof(*template) + text.length + 1);
    if (template == NULL) {
        *error = "out of memory";
        return -ENOMEM;
    }
    memcpy(template->text, text.data, text.length);
    result = compile(template, (struct span){template->text, text.length}, error);
    if (result != 0) {
        free(template);
        return result;
    }
    *out = template;
    return 0;
}

void template_free(struct template *template) {
    free(template);
}

bool template_is_literal(const struct template *template) {
    return template->count == 1 && !template->parts[0].field;
}

struct span template_beginning(const struct template *template) {
    const struct part *first = &template->parts[0];
    return template->count > 0 && !first->field ? first->literal : (struct span){"", 0};
}

int template_expand(const struct template *template, struct json_value data, template_emit *emit,
                    void *context, unsigned *dropped) {
    struct expansion expansion = {.template = template, .emit = emit, .context = context};
    struct json_value array;
    int result = resolve_fields(&expansion, data);

    if (result < 0) {
        return result;
    }
    if (result == 0) {
        expansion.dropped++;
    } else if (template->array == NULL) {
        result = emit_one(&expansion);
    } else {
        result = resolve(data, template->array->path, template->array->path_length, &array);
        if (result == 1 && array.type == JSON_ARRAY) {
            result = emit_elements(&expansion, array);
        } else if (result >= 0) {
            expansion.dropped++;
            result = 0;
        }
    }
    if (result == 0 && dropped != NULL) {
        *dropped += expansion.dropped;
    }
    return result;
}

/* Cuts a path at its dots. Returns the number of names, 0 when one is empty. */
static unsigned cut_path(char *path, size_t length) {
    unsigned names = 1;
    char *name = path;

    for (size_t i = 0; i <= length; i++) {
        if (i < length && path[i] != '.') {
            continue;
        }
        if (path + i == name) {
            return 0;
        }
        path[i] = 0;
        name = path + i + 1;
        names += i < length;
    }
    return names;
}

/* `text` is what stands between the braces; the byte behind it (the closing brace) may be overwritten. */
static const char *compile_field(struct part *part, char *text, size_t length) {
    char *brackets = memmem(text, length, "[]", 2);
    size_t path_length = brackets != NULL ? (size_t)(brackets - text) : length;

    part->field = true;
    part->array = brackets != NULL;
    if (memchr(text, '[', path_length) != NULL || memchr(text, ']', path_length) != NULL) {
        return "`[` or `]` apart from `[]`";
    }
    if (brackets != NULL && path_length + 2 < length) {
        char *rest = brackets + 3; /* past "[]." */
        size_t rest_length = length - path_length - 3;
        if (brackets[2] != '.' || memchr(rest, '[', rest_length) ||
            memchr(rest, ']', rest_length)) {
            return "what stands behind `[]` is not `.FIELD`, or a second `[]`";
        }
        part->element_path = rest;
        part->element_path_length = cut_path(rest, rest_length);
        if (part->element_path_length == 0) {
            return "a field without a name";
        }
    }
    part->path = text;
    part->path_length = cut_path(text, path_length);
    return part->path_length > 0 ? NULL : "a field without a name";
}

static bool has_control_byte(struct span text) {
    for (size_t i = 0; i < text.length; i++) {
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static const char *compile_part(struct template *template, char *text, size_t length, size_t *at) {
    struct part *part = &template->parts[template->count];
    char *from = text + *at;
    size_t rest = length - *at;
    char *end;
    const char *error;

    if (template->count == MAX_PARTS) {
        return "more than 16 fields";
    }
    if (*from != '{') {
        size_t run = 0;
        while (run < rest && from[run] != '{' && from[run] != '}') {
            run++;
        }
        part->literal = (struct span){from, run};
        *at += run;
        template->count++;
        return run > 0 ? NULL : "`}` without `{`";
    }
    end = memchr(from, '}', rest);
    if (end == NULL || memchr(from + 1, '{', (size_t)(end - from - 1)) != NULL) {
        return "`{` without `}`";
    }
    error = compile_field(part, from + 1, (size_t)(end - from - 1));
    *at += (size_t)(end - from) + 1;
    template->count++;
    return error;
}

static int compile(struct template *template, struct span text, const char **error) {
    unsigned fields = 0;
    const char *wrong = has_control_byte(text) || !json_utf8_valid(text)
                            ? "blanks, control characters or text that is not UTF-8"
                            : NULL;

    for (size_t at = 0; at < text.length && wrong == NULL;) {
        struct part *part = &template->parts[template->count];
        wrong = compile_part(template, template->text, text.length, &at);
        if (wrong != NULL) {
            break;
        }
        fields += part->field;
        if (fields > MAX_FIELDS) {
            wrong = "more than 16 fields";
        } else if (part->array && template->array != NULL) {
            wrong = "more than one array";
        } else if (part->array) {
            template->array = part;
        }
    }
    if (wrong != NULL) {
        *error = wrong;
        return -EINVAL;
    }
    return 0;
}

/* 1: found, 0: not there, -EEXIST: a name stands twice. */
static int resolve(struct json_value from, const char *path, unsigned length,
                   struct json_value *out) {
    int result = 1;

    for (unsigned i = 0; i < length && result == 1; i++) {
        result = json_get(from, path, &from);
        path += strlen(path) + 1;
    }
    if (result == 1) {
        *out = from;
    }
    return result;
}

static bool gives_text(struct json_value value) {
    return (value.type == JSON_STRING || value.type == JSON_NUMBER) && value.text.length > 0;
}

/* The fields outside the array, once for all its elements. 1: all there. */
static int resolve_fields(struct expansion *expansion, struct json_value data) {
    const struct template *template = expansion->template;
    bool complete = true;

    for (unsigned i = 0; i < template->count; i++) {
        const struct part *part = &template->parts[i];
        int result;

        if (!part->field || part->array) {
            continue;
        }
        result = resolve(data, part->path, part->path_length, &expansion->values[i]);
        if (result < 0) {
            return result;
        }
        complete = complete && result == 1 && gives_text(expansion->values[i]);
    }
    return complete;
}

static int emit_elements(struct expansion *expansion, struct json_value array) {
    const struct part *part = expansion->template->array;
    struct json_value *value = &expansion->values[part - expansion->template->parts];
    struct json_value element;
    size_t cursor = 0;
    int result = 0;

    while (result == 0 && json_next_element(array, &cursor, &element) == 1) {
        result = resolve(element, part->element_path, part->element_path_length, value);
        if (result < 0) {
            return result;
        }
        if (result == 1 && gives_text(*value)) {
            result = emit_one(expansion);
        } else {
            expansion->dropped++;
            result = 0;
        }
    }
    return result;
}

static long append(struct json_value value, char *buffer, size_t size) {
    if (value.type == JSON_STRING) {
        return json_unescape(value, buffer, size);
    }
    if (value.text.length > size) {
        return -ENOSPC;
    }
    if (value.text.length > 0) {
        memcpy(buffer, value.text.data, value.text.length);
    }
    return (long)value.text.length;
}

static int emit_one(struct expansion *expansion) {
    const struct template *template = expansion->template;
    char buffer[TEMPLATE_MAX_BYTES];
    size_t length = 0;

    for (unsigned i = 0; i < template->count; i++) {
        const struct part *part = &template->parts[i];
        struct json_value literal = {JSON_NUMBER, part->literal};
        long added = append(part->field ? expansion->values[i] : literal, buffer + length,
                            sizeof(buffer) - length);
        if (added < 0) {
            expansion->dropped++;
            return 0;
        }
        length += (size_t)added;
    }
    return expansion->emit(expansion->context, (struct span){buffer, length});
}
