/* Asks the external service what it knows about a notification: GET /notifications/enrich?userId=&type=, again after a
 * pause with jitter where that may help, all within EXTERNAL_SERVICE_TIMEOUT. Its own connections, at most
 * HTTP_CLIENT_CONNECTIONS, a bounded number of questions under way, and a circuit breaker: a service that has failed
 * some times in a row is left alone for a while. A worker's own; part of `struct external`. */
#ifndef MOONX_GATEWAY_EXTERNAL_ENRICH_H
#define MOONX_GATEWAY_EXTERNAL_ENRICH_H

#include "gateway/external/external_settings.h"

#define ENRICH_MOST 256 /* questions under way, those that pause counted */

struct enrich;
struct event_base;
struct stats;

/* Once for each question, from the loop or from enrich_free(), never from within enrich_ask(). `metadata` "": nothing is
 * known, or not in time; else a JSON object, good until it returns. */
typedef void enrich_done(void *context, struct span metadata);

/* -ENOMEM. */
int enrich_new(const struct external_settings *settings, struct event_base *base,
               struct stats *stats, struct enrich **out) MUST_CHECK;
void enrich_free(struct enrich *enrich);

/* -EAGAIN: the service is left alone, or too many questions are under way; -ENOMEM. Both are counted as missed. */
int enrich_ask(struct enrich *enrich, struct span user_id, struct span type, enrich_done *done,
               void *context) MUST_CHECK;

/* The question's target behind the path, percent-encoded. Its length, or -ENOSPC. Pure. */
long enrich_query(struct span user_id, struct span type, char *buffer, size_t size) MUST_CHECK;

#endif
