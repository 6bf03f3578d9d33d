/* SPDX-License-Identifier: MIT */
/* block_nbd.c - formats: what an image's first bytes say, and images that qemu-nbd serves. */
/* uses: host/linux/block_format.c host/linux/block_nbd.c host/linux/block_server.c */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "host/linux/block_priv.h"
#include "tests/rig/block_rig.h"
#include "tests/rig/xorshift.h"

#define SIZE (4u << 20)

static struct block_rig t;
static char path[64];
static char command[400];

Test(block_nbd, formats_by_first_bytes)
{
    static const struct {
        unsigned at;
        const char *bytes;
        unsigned len;
        const char *name;
    } rows[] = {
        {0, "QFI\xfb\0\0\0\3", 8, "qcow2"},
        {0, "QFI\xfb\0\0\0\2", 8, "qcow2"},
        {0, "QFI\xfb\0\0\0\1", 8, "qcow"},
        {0, "QFI\xfb\0\0\0\4", 8, "raw"},
        {0, "KDMV", 4, "vmdk"},
        {64, "\x7f\x10\xda\xbe", 4, "vdi"},
        {0, "vhdxfile", 8, "vhdx"},
        {0, "conectix", 8, "vpc"},
        {1, "conectix", 8, "raw"},
        {510, "\x55\xaa", 2, "raw"},
        {0, "LUKS\xba\xbe", 6, "luks"},
        {0, "", 0, "raw"},
    };

    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        uint8_t start[FORMAT_PROBE] = {0};

        memcpy(start + rows[n].at, rows[n].bytes, rows[n].len);
        cr_expect_str_eq(format_probe(start, sizeof start), rows[n].name, "row %u", n);
        cr_expect_str_eq(format_probe(start, rows[n].at), "raw", "row %u, too short", n);
        cr_expect(format_known(rows[n].name));
    }
    cr_expect(!format_known("qcow3"));
}

/* QEMU's own tools see our locks, and we see theirs. */
Test(block_nbd, locks_are_the_tools)
{
    static const char io[] = "qemu-io -f raw %s -c 'read 0 512' %s >/dev/null 2>&1";
    char reads[200], writes[200];

    if (system("command -v qemu-io >/dev/null"))
        cr_skip_test("qemu-utils is not installed");
    block_rig_file(path, 65536);
    snprintf(reads, sizeof reads, io, "-r", path);
    snprintf(writes, sizeof writes, io, "", path);
    strcpy(t.spec.path, path);
    strcpy(t.spec.format, "raw");
    cr_assert_eq(block_rig_open(&t, SANDBOX_ON), 0, "%s", t.e.text);
    cr_expect(system(writes) != 0, "beside our writer");
    block_rig_close(&t);
    t.spec.read_only = true;
    cr_assert_eq(block_rig_open(&t, SANDBOX_ON), 0, "%s", t.e.text);
    cr_expect(system(reads) == 0 && system(writes) != 0, "beside our reader");
    block_rig_close(&t);
    cr_expect(system(writes) == 0);
    snprintf(command, sizeof command, "qemu-io -f raw -c 'sleep 3000' %s >/dev/null 2>&1", path);
    FILE *other = popen(command, "r");
    cr_assert(other);
    snprintf(command, sizeof command, "grep -q \":$(stat -c %%i %s) \" /proc/locks", path);
    for (unsigned n = 0; system(command); n++) {
        cr_assert(n < 200, "qemu-io has no lock");
        poll(NULL, 0, 10);
    }
    for (unsigned n = 0; n < 2; n++) {
        t.spec.read_only = n;
        cr_expect_eq(block_rig_open(&t, SANDBOX_ON), -1, "beside their writer");
        block_rig_close(&t);
    }
    pclose(other);
    unlink(path);
}

#ifndef HAVE_LIBNBD

Test(block_nbd, says_what_is_missing)
{
    block_rig_file(path, 4096);
    strcpy(t.spec.path, path);
    strcpy(t.spec.format, "qcow2");
    cr_expect_eq(block_rig_open(&t, SANDBOX_ON), -1);
    cr_expect(strstr(t.e.text, "libnbd-dev") && strstr(t.e.text, "qemu-utils"), "%s", t.e.text);
    block_rig_close(&t);
    unlink(path);
}

#else

/* A new image; false: no qemu-img. */
static bool begin(const char *format)
{
    memset(&t, 0, sizeof t);
    if (system("command -v qemu-nbd qemu-img >/dev/null"))
        return false;
    block_rig_file(path, 0);
    snprintf(command, sizeof command, "qemu-img create -q -f %s %s %u", format, path, SIZE);
    cr_assert_eq(system(command), 0);
    strcpy(t.spec.path, path);
    return true;
}

/* Its server is a child of ours; none is left. */
static bool server_gone(void)
{
    int status;

    return waitpid(-1, &status, 0) > 0 && waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD;
}

static void round_trip(const char *format)
{
    static uint8_t bytes[3u << 20], got[3u << 20];
    struct blockdev_info i;

    for (unsigned n = 0; n < sizeof bytes; n++)
        bytes[n] = block_rig_byte(n);
    cr_assert_eq(block_rig_open(&t, SANDBOX_ON), 0, "%s: %s", format, t.e.text);
    blockdev_info(&t.dev, &i);
    cr_expect(i.size >= SIZE && !i.read_only, "%s: %llu bytes", format, (unsigned long long)i.size);
    cr_expect_eq(block_rig_do(&t, BLOCK_WRITE, 512, bytes, sizeof bytes, 16), 0);
    cr_expect_eq(block_rig_flush(&t), 0);
    cr_expect_eq(block_rig_write(&t, i.size, bytes, 512), BACKEND_RANGE);
    block_rig_close(&t);
    cr_expect(server_gone(), "%s", format);
    cr_assert_eq(block_rig_open(&t, SANDBOX_ON), 0, "%s: %s", format, t.e.text);
    cr_expect_eq(block_rig_do(&t, BLOCK_READ, 512, got, sizeof got, 5), 0);
    cr_expect(!memcmp(bytes, got, sizeof got), "%s", format);
    block_rig_close(&t);
    cr_expect(server_gone(), "%s", format);
}

Test(block_nbd, formats_keep_what_is_written)
{
    static const char *const formats[] = {"qcow2", "vmdk", "vdi", "vhdx", "vpc"};

    for (unsigned n = 0; n < ARRAY_LEN(formats); n++) {
        if (!begin(formats[n]))
            cr_skip_test("qemu-utils is not installed");
        round_trip(formats[n]); /* the format is found by its bytes */
        unlink(path);
    }
}

Test(block_nbd, snapshot_and_read_only)
{
    uint8_t bytes[512];
    struct stat before, after;

    if (!begin("qcow2"))
        cr_skip_test("qemu-utils is not installed");
    stat(path, &before);
    t.spec.snapshot = true;
    cr_assert_eq(block_rig_open(&t, SANDBOX_ON), 0, "%s", t.e.text);
    memset(bytes, 1, 512);
    cr_expect_eq(block_rig_write(&t, 0, bytes, 512), 0);
    memset(bytes, 0, 512);
    cr_expect_eq(block_rig_read(&t, 0, bytes, 512), 0);
    cr_expect_eq(bytes[511], 1);
    block_rig_close(&t);
    stat(path, &after);
    cr_expect(before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
                  before.st_mtim.tv_nsec == after.st_mtim.tv_nsec,
              "the image was written to");
    t.spec.snapshot = false;
    t.spec.read_only = true;
    cr_assert_eq(block_rig_open(&t, SANDBOX_ON), 0, "%s", t.e.text);
    cr_expect_eq(block_rig_write(&t, 0, bytes, 512), BACKEND_READ_ONLY);
    cr_expect_eq(block_rig_read(&t, 0, bytes, 512), 0);
    cr_expect_eq(bytes[511], 0);
    block_rig_close(&t);
    unlink(path);
}

Test(block_nbd, one_writer)
{
    static struct block_rig other;

    if (!begin("qcow2"))
        cr_skip_test("qemu-utils is not installed");
    cr_assert_eq(block_rig_open(&t, SANDBOX_ON), 0, "%s", t.e.text);
    other.spec = t.spec;
    cr_expect_eq(block_rig_open(&other, SANDBOX_ON), -1);
    cr_expect(strstr(other.e.text, path) && strstr(other.e.text, "lock"), "%s", other.e.text);
    block_rig_close(&other);
    block_rig_close(&t);
    unlink(path);
}

/* An image cannot send its server into the network. */
Test(block_nbd, server_is_confined)
{
    if (!begin("raw"))
        cr_skip_test("qemu-utils is not installed");
    snprintf(command, sizeof command,
             "qemu-img create -q -f qcow2 -u -F raw -b nbd://127.0.0.1:1/x %s %u", path, SIZE);
    cr_assert_eq(system(command), 0);
    cr_expect_eq(block_rig_open(&t, SANDBOX_ON), -1);
    cr_expect(strstr(t.e.text, "not permitted"), "%s", t.e.text);
    block_rig_close(&t);
    cr_expect_eq(block_rig_open(&t, SANDBOX_OFF), -1);
    cr_expect(strstr(t.e.text, "refused"), "%s", t.e.text);
    block_rig_close(&t);
    unlink(path);
}

/* The server dies: the guest gets errors, and we go on. */
Test(block_nbd, server_is_killed)
{
    uint8_t bytes[512];

    if (!begin("qcow2"))
        cr_skip_test("qemu-utils is not installed");
    cr_assert_eq(block_rig_open(&t, SANDBOX_ON), 0, "%s", t.e.text);
    cr_expect_eq(syscall(SYS_pidfd_send_signal, t.drive.nbd.process, SIGKILL, NULL, 0), 0);
    waitpid(-1, NULL, 0);
    cr_expect_eq(block_rig_read(&t, 0, bytes, 512), BACKEND_IO);
    cr_expect_eq(block_rig_write(&t, 0, bytes, 512), BACKEND_IO);
    cr_expect_eq(block_rig_flush(&t), BACKEND_IO);
    block_rig_close(&t);
    unlink(path);
}

Test(block_nbd, what_the_server_says)
{
    memset(&t, 0, sizeof t);
    block_rig_file(path, 4096);
    strcpy(t.spec.path, path);
    strcpy(t.spec.format, "qcow2");
    cr_expect_eq(block_rig_open(&t, SANDBOX_ON), -1);
    if (!system("command -v qemu-nbd >/dev/null"))
        cr_expect(strstr(t.e.text, path) && strstr(t.e.text, "not in qcow2 format"), "%s",
                  t.e.text);
    block_rig_close(&t);
    setenv("PATH", "/nonexistent", 1);
    cr_expect_eq(block_rig_open(&t, SANDBOX_ON), -1);
    cr_expect(strstr(t.e.text, "install qemu-utils"), "%s", t.e.text);
    block_rig_close(&t);
    unlink(path);
}

#endif
