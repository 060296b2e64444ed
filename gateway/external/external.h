/* The external service (EXTERNAL_SERVICE_URL): what it knows about a notification is added to it, and its health is
 * shown. A worker's own, made from the options before privileges are dropped and again at each reload; it holds the key
 * and the authorities, and two parts that do the work: enrich.h and health_poll.h. */
#ifndef MOONX_GATEWAY_EXTERNAL_EXTERNAL_H
#define MOONX_GATEWAY_EXTERNAL_EXTERNAL_H

#include "common/option.h"
#include "gateway/external/enrich.h"

struct event_base;
struct external;
struct stats;

/* *out stays NULL when none is configured. `error` has one line that names the option. */
int external_new(const struct options *options, struct external **out, char *error,
                 size_t error_size) MUST_CHECK;
/* Whoever still waits is told that there is nothing. */
void external_free(struct external *external);

/* Begins to serve on this loop; external_free() before the loop goes. -ENOMEM. */
int external_start(struct external *external, struct event_base *base,
                   struct stats *stats) MUST_CHECK;

/* NULL: not started. */
struct enrich *external_enrich(const struct external *external);

#endif
