#include "gateway/client/compose.h"
#include "common/json.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLANKS " \t\r\n"
#define TYPE_BYTES                                                                                 \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-" /* of a bare type */

static int compose_object(struct span line, struct json_value whole, struct composed *out,
                          char *error, size_t error_size);
static int compose_type(struct span line, struct composed *out, char *error, size_t error_size);
static int finish(struct composed *composed, struct composed *out, const char *format, ...)
    PRINTF_LIKE(3, 4);

static int refuse(char *error, size_t error_size, const char *what) {
    snprintf(error, error_size, "%s", what);
    return -EINVAL;
}

int compose_line(struct span line, struct composed *out, char *error, size_t error_size) {
    struct json_value whole;
    size_t at = 0;
    line = span_trim(line, BLANKS);
    if (line.length == 0) {
        return -ENODATA;
    }
    if (strchr("{[\"", line.data[0]) == NULL) {
        return compose_type(line, out, error, error_size);
    }
    enum json_result result = json_check(line, &whole, &at);
    if (result != JSON_OK) {
        snprintf(error, error_size, "%s, at byte %zu", json_result_text(result), at + 1);
        return -EINVAL;
    }
    return compose_object(line, whole, out, error, error_size);
}

static int compose_object(struct span line, struct json_value whole, struct composed *out,
                          char *error, size_t error_size) {
    struct composed composed = {.text = NULL};
    struct json_value type, id;
    if (json_get(whole, "type", &type) != 1 || type.type != JSON_STRING) {
        return refuse(error, error_size, "a message is an object with a \"type\"");
    }
    if (json_unescape(type, composed.type, sizeof(composed.type) - 1) <= 0) {
        return refuse(error, error_size, "the \"type\" is empty or too long");
    }
    int found = json_get(whole, "id", &id);
    if (found == 0) {
        compose_id(composed.id);
        return finish(&composed, out, "{\"id\":\"%s\"," SPAN_FORMAT, composed.id,
                      (int)line.length - 1, line.data + 1);
    }
    if (found != 1 || id.type != JSON_STRING || id.text.length == 0 ||
        id.text.length >= sizeof(composed.id)) {
        return refuse(error, error_size, "the \"id\" must be a string of at most 71 bytes");
    }
    memcpy(composed.id, id.text.data, id.text.length); /* as it stands there: so it comes back */
    return finish(&composed, out, SPAN_FORMAT, SPAN_ARGS(line));
}

static int compose_type(struct span line, struct composed *out, char *error, size_t error_size) {
    struct composed composed = {.text = NULL};
    struct json_value data;
    size_t type = 0;
    while (type < line.length && memchr(TYPE_BYTES, line.data[type], sizeof(TYPE_BYTES) - 1)) {
        type++;
    }
    struct span rest = span_trim((struct span){line.data + type, line.length - type}, BLANKS);
    bool whole_word = type == line.length || line.data[type] == ' ' || line.data[type] == '\t';
    if (type == 0 || type >= sizeof(composed.type) || !whole_word) {
        return refuse(error, error_size,
                      "neither a message in JSON nor TYPE nor TYPE {DATA} (try: ping)");
    }
    if (rest.length > 0 && (json_check(rest, &data, NULL) != JSON_OK || data.type != JSON_OBJECT)) {
        return refuse(error, error_size, "what follows the type must be a JSON object");
    }
    memcpy(composed.type, line.data, type);
    compose_id(composed.id);
    rest = rest.length == 0 ? SPAN_LITERAL("{}") : rest;
    return finish(&composed, out, "{\"id\":\"%s\",\"type\":\"%s\",\"data\":" SPAN_FORMAT "}",
                  composed.id, composed.type, SPAN_ARGS(rest));
}

int compose_publish(const char *room, const char *event, const char *payload, struct composed *out,
                    char *error, size_t error_size) {
    struct composed composed = {.type = "publish"};
    struct json_value whole;
    char names[2][512];
    const char *given[] = {room, event};
    for (size_t i = 0; i < ARRAY_LENGTH(given); i++) {
        long length = json_escape(span_of(given[i]), names[i], sizeof(names[i]) - 1);
        if (length <= 0) {
            return refuse(error, error_size, "room or event is empty or too long");
        }
        names[i][length] = '\0';
    }
    if (json_check(span_of(payload), &whole, NULL) != JSON_OK || whole.type != JSON_OBJECT) {
        return refuse(error, error_size, "the payload must be a JSON object");
    }
    compose_id(composed.id);
    return finish(&composed, out,
                  "{\"id\":\"%s\",\"type\":\"publish\",\"data\":{\"room\":\"%s\","
                  "\"event\":\"%s\",\"payload\":%s}}",
                  composed.id, names[0], names[1], payload);
}

void compose_id(char id[COMPOSE_ID_BYTES]) {
    static uint64_t prefix;
    static unsigned long count;
    if (count == 0 && RAND_bytes((unsigned char *)&prefix, sizeof(prefix)) != 1) {
        abort(); /* ids that repeat would make the gateway drop what is published */
    }
    snprintf(id, COMPOSE_ID_BYTES, "%016" PRIx64 "-%lu", prefix, ++count);
}

/* Gives the composed away, with its text. */
static int finish(struct composed *composed, struct composed *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&composed->text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        return -ENOMEM;
    }
    *out = *composed;
    return 0;
}
