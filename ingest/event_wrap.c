#include "ingest/event_wrap.h"

static void add(struct event_wrap *wrap, struct span piece);
static void add_value(struct event_wrap *wrap, struct span name, struct json_value value);
static struct span decimal(int64_t number, char buffer[static 24]);

void event_wrap_prepare(struct event_wrap *wrap, const struct event_source *source,
                        const struct event *event) {
    wrap->count = 0;
    wrap->length = 0;
    add(wrap, SPAN_LITERAL("{\"id\":\""));
    add(wrap, source->label);
    add(wrap, SPAN_LITERAL(":"));
    add(wrap, decimal(source->offset, wrap->offset));
    add(wrap, SPAN_LITERAL("\",\"type\":\""));
    add(wrap, event->type);
    add(wrap, SPAN_LITERAL("\",\"timestamp\":"));
    add(wrap, decimal(source->kafka_time_ms, wrap->time));
    add(wrap, SPAN_LITERAL(",\"data\":"));
    add(wrap, event->data.text);
    add_value(wrap, SPAN_LITERAL(",\"sourceId\":"), event->id);
    add_value(wrap, SPAN_LITERAL(",\"from\":"), event->from);
    add(wrap, SPAN_LITERAL("}"));
}

char *event_wrap_write(const struct event_wrap *wrap, char *to) {
    for (unsigned i = 0; i < wrap->count; i++) {
        memcpy(to, wrap->pieces[i].data, wrap->pieces[i].length);
        to += wrap->pieces[i].length;
    }
    return to;
}

static void add(struct event_wrap *wrap, struct span piece) {
    assert(wrap->count < EVENT_WRAP_MAX_PIECES);
    wrap->pieces[wrap->count++] = piece;
    wrap->length += piece.length;
}

/* A string's text comes without its quotes, but they stand around it in the value: take them along. */
static void add_value(struct event_wrap *wrap, struct span name, struct json_value value) {
    struct span text = value.text;

    if (value.type == JSON_NULL) {
        return;
    }
    if (value.type == JSON_STRING) {
        text = (struct span){text.data - 1, text.length + 2};
    }
    add(wrap, name);
    add(wrap, text);
}

static struct span decimal(int64_t number, char buffer[static 24]) {
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    char *at = buffer + 24;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        *--at = '-';
    }
    return (struct span){at, (size_t)(buffer + 24 - at)};
}
