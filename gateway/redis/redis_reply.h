/* What Redis says, read by hiredis's parser, with bounds: hiredis itself would wait for a string of any length and
 * make an array of any size that a stranger on that port announces. Pure. One for each connection. */
#ifndef MOONX_GATEWAY_REDIS_REDIS_REPLY_H
#define MOONX_GATEWAY_REDIS_REDIS_REPLY_H

#include "common/base.h"

#include <hiredis/hiredis.h>

#define REDIS_REPLY_BYTES    (1u << 20) /* of one reply */
#define REDIS_REPLY_ELEMENTS 65536u     /* of one array */

/* NULL: no memory. redisReaderFree(). */
redisReader *redis_reply_reader(void) MUST_CHECK;
/* What has come in. -EPROTO: too much of it makes no whole reply. */
int redis_reply_feed(redisReader *reader, struct span bytes) MUST_CHECK;
/* 1: *out is the next reply, freeReplyObject() is the caller's; 0: more bytes are needed; -EPROTO: this is no Redis. */
int redis_reply_next(redisReader *reader, redisReply **out) MUST_CHECK;

/* Whether an error means that this Redis is of no use to us at the moment, whatever it is asked. */
bool redis_reply_is_down(const redisReply *reply);
/* An error's first word, as "NOAUTH"; "error" where there is none. */
void redis_reply_word(const redisReply *reply, char *word, size_t size);

#endif
