#include "gateway/access/token_verify.h"

#include "common/clock.h"
#include "common/log.h"
#include "gateway/access/revocation.h"

#include <stdlib.h>
#include <sys/queue.h>

#define JUDGED_PER_TICK 256 /* signatures, at worst; the rest has waited long already */

struct wait {
    STAILQ_ENTRY(wait) link;
    auth_answer *answer;
    void *context;
    uint64_t until_ms;
    size_t length;
    char token[];
};

static STAILQ_HEAD(, wait) waits = STAILQ_HEAD_INITIALIZER(waits); /* one worker a process */
static unsigned waiting;

static int hold(const struct worker *worker, struct span token, auth_answer *answer, void *context);
static struct wait *take_first(void);
static void judge(struct worker *worker, const struct wait *wait);

int token_verify(const struct worker *worker, struct span token, struct identity *out,
                 enum error_code *code) {
    int result = auth_verify(worker->auth, token, clock_wall_ms(), out, code);

    if (result == 0 && !revocation_known(worker)) {
        *code = ERROR_AUTH_UNAVAILABLE;
        return -EINPROGRESS;
    }
    return result;
}

int token_verify_later(struct worker *worker, struct span token, auth_answer *answer,
                       void *context) {
    return revocation_known(worker) ? auth_ask(worker->auth, token, answer, context)
                                    : hold(worker, token, answer, context);
}

/* The first worker says it for all. */
static void tell_unknowable(const struct worker *worker) {
    static bool told;

    if (!told && worker->heritage.index == 0 && worker->view.revocations.header != NULL &&
        revocation_unknowable(worker)) {
        told = true;
        log_warn(
            "Kafka has never answered, so it is not known which tokens are revoked: good tokens "
            "are let in without, and closed when Kafka says that they are");
    }
}

void token_verify_tick(struct worker *worker) {
    bool known = revocation_known(worker);
    unsigned left = JUDGED_PER_TICK;
    const struct wait *first;

    tell_unknowable(worker);
    while (left-- > 0 && (first = STAILQ_FIRST(&waits)) != NULL &&
           (known || clock_mono_ms() >= first->until_ms)) {
        struct wait *wait = take_first();
        if (known) {
            judge(worker, wait);
        } else {
            wait->answer(wait->context, NULL, ERROR_AUTH_UNAVAILABLE);
        }
        free(wait);
    }
}

void token_verify_stop(void) {
    while (!STAILQ_EMPTY(&waits)) {
        struct wait *wait = take_first();
        wait->answer(wait->context, NULL, ERROR_CODE_COUNT);
        free(wait);
    }
}

static int hold(const struct worker *worker, struct span token, auth_answer *answer,
                void *context) {
    uint64_t half_ms = (uint64_t)worker->options->auth_timeout / 2;
    struct wait *wait = waiting < TOKEN_VERIFY_MOST ? malloc(sizeof(*wait) + token.length) : NULL;

    if (wait == NULL) {
        return waiting < TOKEN_VERIFY_MOST ? -ENOMEM : -EAGAIN;
    }
    wait->answer = answer;
    wait->context = context;
    wait->until_ms =
        clock_mono_ms() + (half_ms < TOKEN_VERIFY_HOLD_MS ? half_ms : TOKEN_VERIFY_HOLD_MS);
    wait->length = token.length;
    memcpy(wait->token, token.data, token.length);
    STAILQ_INSERT_TAIL(&waits, wait, link);
    waiting++;
    return 0;
}

static struct wait *take_first(void) {
    struct wait *wait = STAILQ_FIRST(&waits);

    STAILQ_REMOVE_HEAD(&waits, link);
    waiting--;
    return wait;
}

/* From the beginning: keys, and who is asked, may be others since. */
static void judge(struct worker *worker, const struct wait *wait) {
    const struct span token = {wait->token, wait->length};
    struct identity identity;
    enum error_code code;
    int result = token_verify(worker, token, &identity, &code);

    if (result == -EINPROGRESS &&
        token_verify_later(worker, token, wait->answer, wait->context) == 0) {
        return;
    }
    wait->answer(wait->context, result == 0 ? &identity : NULL, code);
}
