/* What everybody is told at once (declared in notice.h): beside the notices to one, since it needs the fan-out. */
#include "common/log.h"
#include "gateway/delivery/fanout.h"
#include "gateway/message/notice.h"
#include "gateway/message/reply.h"

void notice_skipped(struct worker *worker, uint64_t count, const char *reason) {
    cJSON *data = cJSON_CreateObject();
    struct span text;

    data = reply_data(data, cJSON_AddNumberToObject(data, "count", (double)count) != NULL &&
                                cJSON_AddStringToObject(data, "reason", reason) != NULL);
    if (reply_build("skipped", data, NULL, &text)) {
        fanout_everyone(worker, text);
    } else {
        log_error("out of memory: clients were not told of %llu skipped events",
                  (unsigned long long)count);
    }
}
