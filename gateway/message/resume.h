/* A client's wish to be sent what it has missed: the position in `authenticate` (`resume`) and in `resume` (`position`).
 * Read before the answers to the message begin, acted on behind them. */
#ifndef MOONX_GATEWAY_MESSAGE_RESUME_H
#define MOONX_GATEWAY_MESSAGE_RESUME_H

#include "gateway/message/authenticate.h"
#include "gateway/message/message.h"

struct position_claim;

struct resume {
    bool asked;
    int error;                    /* why it can't be: -EINVAL, -ENOMEM */
    struct position_claim *claim; /* NULL unless it is asked for and well formed */
};

/* The member `field` of the message's data; null counts as absent. */
struct resume resume_read(const struct worker *worker, const struct message *message,
                          const char *field);
enum authenticate_then resume_then(const struct resume *resume);
/* `resumed`, or `error` INVALID_MESSAGE for what is no position; nothing when it was not asked for. Takes the claim. */
void resume_start(struct worker *worker, struct conn *conn, struct resume *resume, const char *ref);
void resume_done(struct resume *resume);

#endif
