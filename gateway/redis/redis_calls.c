#include "gateway/redis/redis_calls.h"

#include "common/clock.h"

#include <event2/bufferevent.h>
#include <stdlib.h>

struct redis_call {
    STAILQ_ENTRY(redis_call) link;
    redis_done *done;
    void *context;
    uint64_t since_ms;
};

void redis_calls_init(struct redis_calls *calls) {
    STAILQ_INIT(&calls->list);
    calls->count = 0;
}

int redis_calls_send(struct redis_calls *calls, struct bufferevent *socket, int count,
                     const struct span *arguments, redis_done *done, void *context) {
    const char *data[REDIS_ARGUMENTS];
    size_t lengths[REDIS_ARGUMENTS];
    char *command = NULL;

    assert(count <= REDIS_ARGUMENTS);
    for (int i = 0; i < count; i++) {
        data[i] = arguments[i].data;
        lengths[i] = arguments[i].length;
    }
    struct redis_call *call = calloc(1, sizeof(*call));
    int length = call == NULL ? -1 : redisFormatCommandArgv(&command, count, data, lengths);
    if (length < 0 || bufferevent_write(socket, command, (size_t)length) != 0) {
        free(call);
        redisFreeCommand(command);
        return -ENOMEM;
    }
    explicit_bzero(command, (size_t)length); /* it may be AUTH's */
    redisFreeCommand(command);
    *call = (struct redis_call){.done = done, .context = context, .since_ms = clock_mono_ms()};
    STAILQ_INSERT_TAIL(&calls->list, call, link);
    calls->count++;
    return 0;
}

uint64_t redis_calls_wait_ms(const struct redis_calls *calls, uint64_t now_ms) {
    const struct redis_call *oldest = STAILQ_FIRST(&calls->list);

    return oldest != NULL ? now_ms - oldest->since_ms : 0;
}

bool redis_calls_settle(struct redis_calls *calls, const redisReply *reply) {
    struct redis_call *call = STAILQ_FIRST(&calls->list);

    if (call == NULL) {
        return false;
    }
    STAILQ_REMOVE_HEAD(&calls->list, link);
    calls->count--;
    call->done(call->context, reply);
    free(call);
    return true;
}

void redis_calls_end(struct redis_calls *calls) {
    while (redis_calls_settle(calls, NULL)) {
    }
}
