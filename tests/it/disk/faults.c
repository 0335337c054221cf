/* A disk that is slow or full, for the ledger's files alone: loaded before the C library into the real binary, it sleeps
 * in fsync and write, or lets writes fail as a full disk does. What is wrong is asked of files in the folder that FAULTS
 * names, so that a test can change it while the gateway runs:
 *   fsync_ms   milliseconds that each fsync takes longer
 *   write_ms   milliseconds that each write takes longer
 *   full       every write fails with ENOSPC
 * Each fsync that was made slow adds a byte to the file `fsyncs`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fault(const char *name, long *value) {
    const char *folder = getenv("FAULTS");
    char path[4096];
    if (!folder) return 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%ld", value) != 1) *value = 0;
    fclose(file);
    return 1;
}

static int of_ledger(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, "ledger.sqlite") != NULL;
}

static void slow_sync(int fd) {
    long ms;
    char path[4096];
    if (!of_ledger(fd) || !fault("fsync_ms", &ms)) return;
    usleep(ms * 1000);
    snprintf(path, sizeof path, "%s/fsyncs", getenv("FAULTS"));
    int count = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (count < 0) return;
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    if (real(count, ".", 1) < 0) perror("fsyncs");
    close(count);
}

static int refuses(int fd) {
    long ms;
    if (!of_ledger(fd)) return 0;
    if (fault("write_ms", &ms)) usleep(ms * 1000);
    if (!fault("full", &ms)) return 0;
    errno = ENOSPC;
    return 1;
}

int fsync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    slow_sync(fd);
    return real(fd);
}

int fdatasync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    slow_sync(fd);
    return real(fd);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    return refuses(fd) ? -1 : real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
    return refuses(fd) ? -1 : real(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    return refuses(fd) ? -1 : real(fd, bytes, count, at);
}
