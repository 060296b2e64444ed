/* What a user wants to say, made into a message: a line from standard input or --send, or --publish. Everything that
 * leaves has an id, so that its answer can be told from others; ids never repeat, over runs either, since the gateway
 * takes a second `publish` with the same id for a repetition. */
#ifndef MOONX_GATEWAY_CLIENT_COMPOSE_H
#define MOONX_GATEWAY_CLIENT_COMPOSE_H

#include "common/base.h"

#define COMPOSE_ID_BYTES   72
#define COMPOSE_TYPE_BYTES 64

struct composed {
    char *text; /* the caller's to free */
    char id[COMPOSE_ID_BYTES], type[COMPOSE_TYPE_BYTES];
};

/* "TYPE", "TYPE {data}" or a whole message as a JSON object. -ENODATA: a blank line; -EINVAL: `error` has one line;
 * -ENOMEM. */
int compose_line(struct span line, struct composed *out, char *error, size_t error_size) MUST_CHECK;

/* A `publish`; the payload is a JSON object. */
int compose_publish(const char *room, const char *event, const char *payload, struct composed *out,
                    char *error, size_t error_size) MUST_CHECK;

/* A fresh id. */
void compose_id(char id[COMPOSE_ID_BYTES]);

#endif
