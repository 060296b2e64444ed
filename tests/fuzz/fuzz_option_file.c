/* libFuzzer: CONFIG_FILE over arbitrary bytes. Either one line says what is wrong, or what is stored for each role is read
 * back as the same values.
 * clang -fsanitize=fuzzer,address,undefined */
#include "common/option_row.h"

#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static bool is_for(size_t row, enum option_reader reader) {
    unsigned reload = option_rows[row].reload;
    return reload == OPTION_RELOAD_restart || (reload & reader) != 0;
}

static void check_merge(const struct option_file *file, enum option_reader reader) {
    struct option_file *again = NULL;
    char error[512], *text = NULL;
    size_t length = 0;
    unsigned line;
    REQUIRE(option_file_merge(file, file, reader, &text, &length) == 0);
    REQUIRE(option_file_parse("again", (struct span){text, length}, &again, error, sizeof(error)) ==
            0);
    for (size_t i = 0; i < OPTION_ROW_COUNT; i++) {
        const char *value = is_for(i, reader) ? option_file_value(file, i, &line) : NULL;
        const char *back = option_file_value(again, i, &line);
        REQUIRE((value == NULL) == (back == NULL));
        REQUIRE(value == NULL || strcmp(value, back) == 0);
    }
    free(text);
    option_file_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct option_file *file = NULL;
    char error[512] = "";
    if (option_file_parse("f", (struct span){(const char *)data, size}, &file, error,
                          sizeof(error)) != 0) {
        REQUIRE(file == NULL && error[0] != '\0' && strchr(error, '\n') == NULL);
        return 0;
    }
    check_merge(file, OPTION_READER_WORKERS);
    check_merge(file, OPTION_READER_INGEST);
    option_file_free(file);
    return 0;
}
