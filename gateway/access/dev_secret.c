#include "gateway/access/dev_secret.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_RANDOM_BYTES 32

static int write_secret(int fd);

int dev_secret_path(const char *directory, char *path, size_t size) {
    int length = snprintf(path, size, "%s/secret", directory);
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

int dev_secret_ensure(const char *directory) {
    char path[PATH_MAX], draft[PATH_MAX];
    int fd, length, error = dev_secret_path(directory, path, sizeof(path));

    if (error != 0) {
        return error;
    }
    if (access(path, F_OK) == 0) {
        return 0;
    }
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        return -errno;
    }
    length = snprintf(draft, sizeof(draft), "%s/secret.XXXXXX", directory);
    if (length < 0 || (size_t)length >= sizeof(draft)) {
        return -ENAMETOOLONG;
    }
    fd = mkostemp(draft, O_CLOEXEC); /* mode 0600 */
    if (fd < 0) {
        return -errno;
    }
    error = write_secret(fd);
    /* link, not rename: whoever comes second must not replace what the first already signs with. */
    if (error == 0 && link(draft, path) != 0 && errno != EEXIST) {
        error = -errno;
    }
    (void)unlink(draft);
    (void)close(fd);
    return error;
}

static int write_secret(int fd) {
    unsigned char random[SECRET_RANDOM_BYTES];
    char text[2 * SECRET_RANDOM_BYTES + 2];
    size_t length = 0;
    ssize_t written;

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return -EIO;
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%02x", random[i]);
    }
    text[length++] = '\n';
    written = write(fd, text, length);
    if (written < 0) {
        return -errno;
    }
    return (size_t)written == length ? 0 : -EIO;
}
