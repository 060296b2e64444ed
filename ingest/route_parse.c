#include "ingest/route_parse.h"

#include "common/room_name.h"
#include "common/siphash.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What is being parsed, and where its error goes. */
struct row_parse {
    const struct table_row *row;
    struct route *route;
    struct span key; /* of conflate= */
    char *error;
    size_t error_size;
};

static int parse_fields(struct row_parse *parse);
static int parse_topic(struct row_parse *parse, struct span text);
static int parse_type(struct row_parse *parse, struct span text);
static int parse_rooms(struct row_parse *parse, struct span text);
static int parse_room(struct row_parse *parse, struct span text);
static int parse_alternative(struct row_parse *parse, struct route_room *room, struct span text);
static int check_literal(struct row_parse *parse, const struct route_alternative *alternative,
                         struct span text);
static int take_needs(struct row_parse *parse, struct route_alternative *alternative,
                      struct span text);
static int parse_option(struct row_parse *parse, struct span text);
static int parse_require(struct row_parse *parse, struct span value);
static int parse_conflate(struct row_parse *parse, struct span value);
static int parse_lossless(struct row_parse *parse);
static int parse_sample(struct row_parse *parse, struct span value);
static int check_sample(struct row_parse *parse);
static void set_values(struct row_parse *parse);
static bool take_until(struct span *rest, char separator, struct span *part);
static bool characters_allowed(struct span text, const char *extra);
static int refuse(struct row_parse *parse, const char *format, ...) PRINTF_LIKE(2, 3);

int route_parse_row(const struct table_row *row, struct route **out, char *error,
                    size_t error_size) {
    struct row_parse parse = {.row = row, .error = error, .error_size = error_size};
    int result;

    parse.route = calloc(1, sizeof(*parse.route));
    if (parse.route == NULL) {
        (void)refuse(&parse, "out of memory");
        return -ENOMEM;
    }
    parse.route->line = row->line;
    result = parse_fields(&parse);
    if (result < 0) {
        route_parse_free(parse.route);
        return result;
    }
    *out = parse.route;
    return 0;
}

void route_parse_free(struct route *route) {
    if (route == NULL) {
        return;
    }
    for (unsigned i = 0; i < route->room_count; i++) {
        for (unsigned j = 0; j < route->rooms[i].count; j++) {
            template_free(route->rooms[i].alternatives[j].template);
        }
    }
    free(route->rooms);
    template_free(route->conflate);
    free(route);
}

bool route_parse_topic_valid(struct span topic) {
    return topic.length >= 1 && topic.length <= ROUTE_TOPIC_MAX_BYTES && !span_is(topic, ".") &&
           !span_is(topic, "..") && characters_allowed(topic, "._-");
}

static int parse_fields(struct row_parse *parse) {
    const struct table_row *row = parse->row;
    int result;

    if (row->count < 3) {
        return refuse(parse, "a route is TOPIC TYPE ROOMS [OPTION...]; fields here: %u",
                      row->count);
    }
    result = parse_topic(parse, row->fields[0]);
    if (result == 0) {
        result = parse_type(parse, row->fields[1]);
    }
    if (result == 0) {
        result = parse_rooms(parse, row->fields[2]);
    }
    for (unsigned i = 3; result == 0 && i < row->count; i++) {
        result = parse_option(parse, row->fields[i]);
    }
    result = result == 0 ? check_sample(parse) : result;
    if (result == 0 && parse->route->conflate != NULL) {
        set_values(parse);
    }
    return result;
}

static int parse_topic(struct row_parse *parse, struct span text) {
    if (!route_parse_topic_valid(text)) {
        return refuse(parse, "'" SPAN_FORMAT "' is no topic name (1 to 249 of A-Z a-z 0-9 . _ -)",
                      SPAN_ARGS(text));
    }
    memcpy(parse->route->topic, text.data, text.length);
    return 0;
}

static int parse_type(struct row_parse *parse, struct span text) {
    struct route *route = parse->route;

    if (span_is(text, "-")) {
        route->kind = ROUTE_SELF;
        return 0;
    }
    if (span_is(text, "@control")) {
        route->kind = ROUTE_CONTROL;
        return 0;
    }
    if (text.length == 0 || text.length > ROUTE_TYPE_MAX_BYTES ||
        !characters_allowed(text, "._:-")) {
        return refuse(parse,
                      "'" SPAN_FORMAT "' is no type (1 to 64 of A-Z a-z 0-9 . _ : -, or - or "
                      "@control alone)",
                      SPAN_ARGS(text));
    }
    route->kind = ROUTE_TYPED;
    memcpy(route->type, text.data, text.length);
    route->type_length = text.length;
    return 0;
}

static int parse_rooms(struct row_parse *parse, struct span text) {
    struct route *route = parse->route;
    struct span part;
    int result = 0;

    if (route->kind != ROUTE_TYPED) {
        return span_is(text, "-") ? 0 : refuse(parse, "ROOMS must be - with this type");
    }
    if (span_is(text, "-")) {
        return refuse(parse, "type '%s' needs rooms (- is for type - and @control)", route->type);
    }
    route->rooms = calloc(ROUTE_MAX_ROOMS, sizeof(*route->rooms));
    if (route->rooms == NULL) {
        return refuse(parse, "out of memory");
    }
    while (result == 0 && take_until(&text, ',', &part)) {
        result = parse_room(parse, part);
    }
    return result;
}

static int parse_room(struct row_parse *parse, struct span text) {
    struct route *route = parse->route;
    struct route_room *room;
    struct span part;
    int result = 0;

    if (route->room_count == ROUTE_MAX_ROOMS) {
        return refuse(parse, "more than %d rooms", ROUTE_MAX_ROOMS);
    }
    room = &route->rooms[route->room_count++];
    while (result == 0 && take_until(&text, '/', &part)) {
        if (room->count == ROUTE_MAX_ALTERNATIVES) {
            return refuse(parse, "more than %d alternatives of one room", ROUTE_MAX_ALTERNATIVES);
        }
        result = parse_alternative(parse, room, part);
    }
    return result;
}

static int parse_alternative(struct row_parse *parse, struct route_room *room, struct span text) {
    struct route_alternative *alternative = &room->alternatives[room->count];
    const char *why = "";
    int result;

    if (text.length == 0) {
        return refuse(parse, "an empty room");
    }
    result = template_new(text, &alternative->template, &why);
    if (result < 0) {
        return refuse(parse, "room '" SPAN_FORMAT "': %s", SPAN_ARGS(text),
                      result == -ENOMEM ? "out of memory" : why);
    }
    room->count++; /* from here on it is freed with the route */
    result = check_literal(parse, alternative, text);
    return result < 0 ? result : take_needs(parse, alternative, text);
}

/* A room without fields is the same for every event: said at start rather than counted for ever. */
static int check_literal(struct row_parse *parse, const struct route_alternative *alternative,
                         struct span text) {
    if (template_is_literal(alternative->template) && !room_name_valid(text)) {
        return refuse(
            parse, "'" SPAN_FORMAT "' is no room name (1 to 128 of A-Z a-z 0-9 _ . : @ | + = ~ -)",
            SPAN_ARGS(text));
    }
    return 0;
}

/* The names behind each `{`, up to `.`, `[` or `}`: the template has been accepted, so they are closed. */
static int take_needs(struct row_parse *parse, struct route_alternative *alternative,
                      struct span text) {
    for (size_t i = 0; i < text.length; i++) {
        size_t from = i + 1, length = 0;
        if (text.data[i] != '{') {
            continue;
        }
        while (from + length < text.length && strchr(".[}", text.data[from + length]) == NULL) {
            length++;
        }
        if (length > ROUTE_FIELD_MAX_BYTES || alternative->need_count == ROUTE_MAX_NEEDS) {
            return refuse(parse, "room '" SPAN_FORMAT "': at most %d fields of at most %d bytes",
                          SPAN_ARGS(text), ROUTE_MAX_NEEDS, ROUTE_FIELD_MAX_BYTES);
        }
        memcpy(alternative->needs[alternative->need_count++].name, text.data + from, length);
        i = from + length;
    }
    return 0;
}

static int parse_option(struct row_parse *parse, struct span text) {
    static const struct {
        const char *name;
        int (*parse)(struct row_parse *parse, struct span value);
    } known[] = {
        {"require", parse_require}, {"conflate", parse_conflate}, {"sample", parse_sample}};
    struct span value = text, name = text;

    if (span_is(text, "lossless")) {
        return parse_lossless(parse);
    }
    take_until(&value, '=', &name);
    for (unsigned i = 0; i < ARRAY_LENGTH(known); i++) {
        if (span_is(name, known[i].name) && name.length < text.length) {
            value = (struct span){text.data + name.length + 1, text.length - name.length - 1};
            return known[i].parse(parse, value);
        }
    }
    return refuse(parse,
                  "unknown option '" SPAN_FORMAT
                  "' (require=FIELD,..., conflate=TEMPLATE, sample=MS or lossless)",
                  SPAN_ARGS(text));
}

static int parse_require(struct row_parse *parse, struct span value) {
    struct route *route = parse->route;
    struct span field;

    if (route->kind != ROUTE_TYPED) {
        return refuse(parse, "require= has no meaning with this type");
    }
    while (take_until(&value, ',', &field)) {
        if (field.length == 0 || field.length > ROUTE_FIELD_MAX_BYTES) {
            return refuse(parse, "require=: a field has 1 to %d bytes", ROUTE_FIELD_MAX_BYTES);
        }
        if (route->required_count == ROUTE_MAX_REQUIRED) {
            return refuse(parse, "require=: more than %d fields", ROUTE_MAX_REQUIRED);
        }
        memcpy(route->required[route->required_count++].name, field.data, field.length);
    }
    return 0;
}

static int parse_conflate(struct row_parse *parse, struct span value) {
    const char *why = "";
    int result;

    if (parse->route->kind != ROUTE_TYPED) {
        return refuse(parse, "conflate= has no meaning with this type");
    }
    if (parse->route->conflate != NULL) {
        return refuse(parse, "conflate= stands twice");
    }
    parse->key = value;
    result = template_new(value, &parse->route->conflate, &why);
    if (result < 0) {
        return refuse(parse, "conflate=" SPAN_FORMAT ": %s", SPAN_ARGS(value),
                      result == -ENOMEM ? "out of memory" : why);
    }
    return 0;
}

static int parse_lossless(struct row_parse *parse) {
    if (parse->route->kind != ROUTE_TYPED) {
        return refuse(parse, "lossless has no meaning with this type");
    }
    if (parse->route->lossless) {
        return refuse(parse, "lossless stands twice");
    }
    parse->route->lossless = true;
    return 0;
}

static int parse_sample(struct row_parse *parse, struct span value) {
    unsigned long ms = 0;

    if (parse->route->sample_ms != 0) {
        return refuse(parse, "sample= stands twice");
    }
    for (size_t i = 0; i < value.length && ms <= ROUTE_SAMPLE_MAX_MS; i++) {
        char c = value.data[i];
        ms = c >= '0' && c <= '9' ? ms * 10 + (unsigned long)(c - '0') : ULONG_MAX;
    }
    if (ms < ROUTE_SAMPLE_MIN_MS || ms > ROUTE_SAMPLE_MAX_MS) {
        return refuse(parse, "sample=" SPAN_FORMAT ": a number of milliseconds from %d to %d",
                      SPAN_ARGS(value), ROUTE_SAMPLE_MIN_MS, ROUTE_SAMPLE_MAX_MS);
    }
    parse->route->sample_ms = (uint16_t)ms;
    return 0;
}

/* When all options are known: they may stand in any order. */
static int check_sample(struct row_parse *parse) {
    const struct route *route = parse->route;

    if (route->sample_ms != 0 && route->conflate == NULL) {
        return refuse(parse,
                      "sample= needs conflate=: of which key it is the newest value that counts");
    }
    if (route->sample_ms != 0 && route->lossless) {
        return refuse(parse, "sample= and lossless contradict each other");
    }
    return 0;
}

static void set_values(struct row_parse *parse) {
    static const struct siphash_key key = {0}; /* the same in every process */
    const struct span *fields = parse->row->fields;

    parse->route->values =
        (siphash(&key, fields[1]) + 3 * siphash(&key, fields[2]) + 5 * siphash(&key, parse->key)) |
        1;
}

/* Takes what stands before the separator; `a,` is "a" and "". False when nothing is left (data NULL). */
static bool take_until(struct span *rest, char separator, struct span *part) {
    const char *end;

    if (rest->data == NULL) {
        return false;
    }
    end = rest->length > 0 ? memchr(rest->data, separator, rest->length) : NULL;
    if (end == NULL) {
        *part = *rest;
        *rest = (struct span){NULL, 0};
        return true;
    }
    *part = (struct span){rest->data, (size_t)(end - rest->data)};
    *rest = (struct span){end + 1, rest->length - part->length - 1};
    return true;
}

static bool characters_allowed(struct span text, const char *extra) {
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || strchr(extra, c) == NULL)) {
            return false;
        }
    }
    return true;
}

static int refuse(struct row_parse *parse, const char *format, ...) {
    va_list arguments;
    int put =
        snprintf(parse->error, parse->error_size, "%s:%u: ", parse->row->file, parse->row->line);

    if (put > 0 && (size_t)put < parse->error_size) {
        va_start(arguments, format);
        vsnprintf(parse->error + put, parse->error_size - (size_t)put, format, arguments);
        va_end(arguments);
    }
    return -EINVAL;
}
