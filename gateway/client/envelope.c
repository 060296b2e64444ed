#include "gateway/client/envelope.h"

static struct span member(struct json_value object, const char *name, enum json_type type) {
    struct json_value value;
    if (json_get(object, name, &value) == 1 && value.type == type) {
        return value.text;
    }
    return (struct span){"", 0};
}

bool envelope_read(struct span text, struct envelope *out) {
    struct envelope envelope = {.data = {JSON_NULL, {"", 0}}};
    struct json_value value;
    if (json_check(text, &envelope.whole, NULL) != JSON_OK ||
        json_get(envelope.whole, "type", &value) != 1 || value.type != JSON_STRING) {
        return false;
    }
    envelope.type = value.text;
    envelope.id = member(envelope.whole, "id", JSON_STRING);
    envelope.ref = member(envelope.whole, "ref", JSON_STRING);
    envelope.timestamp = member(envelope.whole, "timestamp", JSON_NUMBER);
    envelope.snapshot =
        json_get(envelope.whole, "snapshot", &value) == 1 && value.type == JSON_TRUE;
    if (json_get(envelope.whole, "data", &value) == 1) {
        envelope.data = value;
    }
    *out = envelope;
    return true;
}

/* Takes ":DIGITS" off the end of *text. */
static bool strip_number(struct span *text) {
    size_t end = text->length;
    while (end > 0 && text->data[end - 1] >= '0' && text->data[end - 1] <= '9') {
        end--;
    }
    if (end == text->length || end == 0 || text->data[end - 1] != ':') {
        return false;
    }
    text->length = end - 1;
    return true;
}

bool envelope_is_event(const struct envelope *envelope) {
    struct span id = envelope->id;
    return !envelope->snapshot && strip_number(&id) && strip_number(&id) && id.length > 0;
}

/* Whole numbers of up to 15 digits: no more is a time in ms or a count, and a thousand times that still fits. */
static uint64_t whole_number(struct span text, uint64_t otherwise) {
    uint64_t value = 0;
    if (text.length == 0 || text.length > 15) {
        return otherwise;
    }
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return otherwise;
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    return value;
}

int64_t envelope_time_ms(const struct envelope *envelope) {
    return (int64_t)whole_number(envelope->timestamp, 0);
}

uint64_t envelope_number(const struct envelope *envelope, const char *name, uint64_t otherwise) {
    return whole_number(member(envelope->data, name, JSON_NUMBER), otherwise);
}

struct span envelope_string(const struct envelope *envelope, const char *name) {
    return member(envelope->data, name, JSON_STRING);
}
