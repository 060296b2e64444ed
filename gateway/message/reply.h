/* What the server says to one client: the envelope around data made with cJSON. `data` is taken over. `ref`
 * may be NULL. When memory runs out (also when `data` is NULL because of it) the reply is lost and the
 * connection is closed with 1011: a client must not wait for an answer that never comes.
 * One buffer per process holds the text; it grows to the longest reply and stays. */
#ifndef MOONX_GATEWAY_MESSAGE_REPLY_H
#define MOONX_GATEWAY_MESSAGE_REPLY_H

#include "common/code_table.h"
#include "gateway/worker.h"

#include <cjson/cJSON.h>

void reply_send(struct worker *worker, struct conn *conn, const char *type, cJSON *data,
                const char *ref);
/* The envelope's text, valid until the next reply; `data` is taken over. False: out of memory. */
bool reply_build(const char *type, cJSON *data, const char *ref, struct span *out) MUST_CHECK;
/* `auth_failed` {error, code}. */
void reply_auth_failed(struct worker *worker, struct conn *conn, enum error_code code,
                       const char *ref);
/* message NULL: the code's own sentence. */
void reply_error(struct worker *worker, struct conn *conn, enum error_code code,
                 const char *message, const char *ref);
/* RATE_LIMIT_EXCEEDED with `retryAfter` in seconds. */
void reply_rate_limited(struct worker *worker, struct conn *conn, unsigned retry_after_s,
                        const char *ref);
/* An error about one of several channels of a request: `channel` goes along in the data. */
void reply_channel_error(struct worker *worker, struct conn *conn, enum error_code code,
                         const char *channel, const char *ref);
/* First message of a connection: `auth_required` {timeout, connectionId}. */
void reply_auth_required(struct worker *worker, struct conn *conn);

/* `resumed` {recovered, count}; with a reason, {recovered: false, reason}: all or nothing. */
void reply_resumed(struct worker *worker, struct conn *conn, const char *reason, uint32_t count,
                   const char *ref);
/* A whole number, always written as one: cJSON's own numbers print 10^15 as 1e+15. False: out of memory. */
bool reply_add_integer(cJSON *object, const char *name, int64_t value) MUST_CHECK;
/* Adds `position` where it is told now (conn_position()). False: out of memory. */
bool reply_add_position(struct worker *worker, const struct conn *conn, cJSON *data) MUST_CHECK;
/* `data` if all of it could be built, else NULL, and what there is of it is freed. */
cJSON *reply_data(cJSON *data, bool complete);

#endif
