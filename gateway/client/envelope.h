/* A server's message taken apart, {"id","type","timestamp","ref"?,"data"}: the members as their own bytes inside the text. Pure functions, used by
 * moonx-client for each message that comes. */
#ifndef MOONX_GATEWAY_CLIENT_ENVELOPE_H
#define MOONX_GATEWAY_CLIENT_ENVELOPE_H

#include "common/json.h"

/* Empty where absent or of another type than it should be; valid as long as the text is. */
struct envelope {
    struct span id, type, timestamp, ref;
    struct json_value whole, data; /* data: JSON_NULL where absent */
    bool
        snapshot; /* a conflated route's current value: neither new nor in order, so it moves no position */
};

/* False when the text is no JSON object with a type. */
bool envelope_read(struct span text, struct envelope *out);

/* An id of the form topic:partition:offset, and no snapshot: the message has just come from Kafka. */
bool envelope_is_event(const struct envelope *envelope);

/* The timestamp in ms since the epoch; 0 where there is none. */
int64_t envelope_time_ms(const struct envelope *envelope);

/* A member of the data that is a whole number of 0 or more; `otherwise` where it is not. */
uint64_t envelope_number(const struct envelope *envelope, const char *name, uint64_t otherwise);

/* A member of the data that is a string, without its escapes resolved; empty where it is not. */
struct span envelope_string(const struct envelope *envelope, const char *name);

#endif
