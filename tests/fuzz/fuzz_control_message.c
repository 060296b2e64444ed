/* Control messages out of arbitrary bytes: what is accepted names somebody, its texts end where they should, and what
 * is refused says why. */
#include "common/control_message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition) {
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct control_message message;
    const char *why = NULL;

    if (control_message_read((struct span){(const char *)data, size}, &message, &why) != 0) {
        need(why != NULL && why[0] != '\0');
        return 0;
    }
    need(memchr(message.name, '\0', sizeof(message.name)) != NULL);
    need(memchr(message.reason, '\0', sizeof(message.reason)) != NULL);
    need(message.subject == CONTROL_MESSAGE_EVERYBODY
             ? message.name[0] == '\0' && message.issued_before_ms > 0
             : message.name[0] != '\0');
    need(message.until_ms >= 0 && message.issued_before_ms >= 0);
    return 0;
}
