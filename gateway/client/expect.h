/* --expect TYPE[:FIELD=VALUE[,FIELD=VALUE…]]: a message that a script waits for. Pure functions; filled by the command
 * line, whose texts it points into. */
#ifndef MOONX_GATEWAY_CLIENT_EXPECT_H
#define MOONX_GATEWAY_CLIENT_EXPECT_H

#include "gateway/client/envelope.h"

#define EXPECT_MAX_FIELDS 8
#define EXPECT_PATH_BYTES 128

struct expect_field {
    char path[EXPECT_PATH_BYTES]; /* members by dots: "user.id" */
    struct span value;
};

struct expect {
    const char *text; /* as it was given */
    struct span type;
    struct expect_field fields[EXPECT_MAX_FIELDS];
    unsigned field_count;
};

/* -EINVAL: no type, a field without a name or without "=", too many of them. */
int expect_parse(const char *text, struct expect *out) MUST_CHECK;

/* The message is of the type, and each field has its value. A field is looked for in the data, then in the message
 * itself. A string equals the value by its text, anything else by its JSON; an array when one of its elements does. */
bool expect_matches(const struct expect *expect, const struct envelope *envelope);

#endif
