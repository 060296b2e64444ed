/* libFuzzer: what a server says to moonx-client: taken apart, shown, expected, and its position kept. A position that was
 * taken is given back as text that is taken again as the same.
 * clang -fsanitize=fuzzer,address,undefined */
#include "gateway/client/client_position.h"
#include "gateway/client/expect.h"
#include "gateway/client/print.h"

#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static void check_position(struct json_value told, struct span id) {
    struct client_position *position, *again;
    struct json_value value;
    char *text, *copy;
    REQUIRE(client_position_new(&position) == 0 && client_position_new(&again) == 0);
    if (client_position_set(position, told) == 0) {
        client_position_move(position, id);
        REQUIRE(client_position_text(position, &text) == 0);
        REQUIRE(json_check(span_of(text), &value, NULL) == JSON_OK);
        REQUIRE(client_position_set(again, value) == 0);
        REQUIRE(client_position_text(again, &copy) == 0 && strcmp(text, copy) == 0);
        free(text);
        free(copy);
    } else {
        REQUIRE(!client_position_known(position));
    }
    client_position_free(position);
    client_position_free(again);
}

static void check_shown(struct span text, const struct envelope *envelope) {
    char *shown;
    size_t size;
    FILE *out = open_memstream(&shown, &size);
    print_message(out, PRINT_SHORT, 40, text, envelope, "answers ping");
    print_message(out, PRINT_JSON, 0, text, envelope, NULL);
    REQUIRE(fclose(out) == 0);
    unsigned lines = 0;
    for (size_t i = 0; i < size; i++) {
        lines += shown[i] == '\n' ? 1 : 0;
        REQUIRE((unsigned char)shown[i] >= 0x20 || shown[i] == '\n' || shown[i] == '\033');
    }
    REQUIRE(lines == 2);
    free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct span text = {(const char *)data, size};
    struct envelope envelope;
    struct expect expect;
    struct json_value position;
    REQUIRE(expect_parse("pong:position.epoch=1,rooms=a", &expect) == 0);
    if (!envelope_read(text, &envelope)) {
        check_shown(text, NULL);
        return 0;
    }
    check_shown(text, &envelope);
    (void)expect_matches(&expect, &envelope);
    (void)envelope_time_ms(&envelope);
    check_position(envelope.whole, envelope.id);
    if (json_get(envelope.data, "position", &position) == 1) {
        check_position(position, envelope.id);
    }
    return 0;
}
