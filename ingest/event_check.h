/* Is this Kafka value an event? Strict: JSON as json_check() wants it, an object, the fields there that the
 * route requires, and no second meaning (a field that decides anything stands once). Pure; ingest only.
 * The result points into the value. */
#ifndef MOONX_INGEST_EVENT_CHECK_H
#define MOONX_INGEST_EVENT_CHECK_H

#include "common/json.h"
#include "ingest/route_table.h"

/* Longest `type` of an event that brings its own, and longest `id` and `from` that are passed on. */
#define EVENT_TYPE_MAX_BYTES  128
#define EVENT_LABEL_MAX_BYTES 512

/* Why a value can't become an event; the texts stand in the log and on the dead letter. */
#define EVENT_FAULT_TABLE(X)                                                                       \
    X(SYNTAX, "the value is not valid JSON")                                                       \
    X(UTF8, "the value is not valid UTF-8")                                                        \
    X(NUL, "the value contains a NUL")                                                             \
    X(DEPTH, "the value is nested too deep")                                                       \
    X(KIND, "the value is not a JSON object")                                                      \
    X(TWICE, "a field that decides stands twice")                                                  \
    X(TYPE, "`type` is missing, no string or too long")                                            \
    X(DATA, "`data` is missing or no object")                                                      \
    X(LABEL, "`id` or `from` is too long, or `from` is neither string nor number")                 \
    X(FIELD, "a required field is missing")                                                        \
    X(NO_ROOM, "no valid room comes out")                                                          \
    X(MANY_ROOMS, "more than 64 rooms come out")                                                   \
    X(SIZE, "the event is too long for the ring")

enum event_fault {
    EVENT_OK,
#define X(name, text) EVENT_##name,
    EVENT_FAULT_TABLE(X)
#undef X
        EVENT_FAULT_COUNT
};

struct event {
    struct span type;       /* between its quotes, escapes still in it */
    struct json_value data; /* the object */
    struct json_value id;   /* the value's own: string or number, else JSON_NULL */
    struct json_value from; /* ROUTE_SELF only, likewise */
    struct json_value room; /* ROUTE_SELF only: as they stand there, JSON_NULL when absent */
    struct json_value rooms;
};

/* EVENT_OK: *out is filled in and points into `value`. Else the first fault that was found. */
enum event_fault event_check(const struct route *route, struct span value,
                             struct event *out) MUST_CHECK;
const char *event_check_text(enum event_fault fault);

#endif
