/* SPDX-License-Identifier: MIT */
/* block_raw.c - raw images behind a drive: what is read and written, slices, temporary copies,
 * what the host cannot do, locks. All of it with the drive's thread under its filter, where the
 * build has one. */
/* uses: host/linux/block.c host/linux/block_raw.c host/linux/block_overlay.c
 * host/linux/block_lock.c */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/rig/block_rig.h"
#include "tests/rig/xorshift.h"

#define SIZE (1u << 20)

static struct block_rig t;
static char path[64];
static uint8_t model[SIZE], got[SIZE];

static void begin(size_t size)
{
    memset(&t, 0, sizeof t);
    block_rig_file(path, size);
    strcpy(t.spec.path, path);
    strcpy(t.spec.format, "raw");
    for (size_t n = 0; n < sizeof model; n++)
        model[n] = n < size ? block_rig_byte(n) : 0;
}

static void open_drive(void)
{
    cr_assert_eq(block_rig_open(&t, SANDBOX_ON), 0, "%s", t.e.text);
}

static void end(void)
{
    block_rig_close(&t);
    unlink(path);
}

static size_t file_now(uint8_t *to, size_t cap)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, to, cap);

    close(fd);
    return n < 0 ? 0 : (size_t)n;
}

/* Random requests, also on the model. */
static void exercise(uint64_t size, uint32_t seed)
{
    static uint8_t bytes[SIZE];
    uint32_t x = seed;

    for (unsigned n = 0; n < 600; n++) {
        uint64_t at = xorshift(&x) % (size / 512) * 512;
        uint64_t most = (size - at) / 512, len = (xorshift(&x) % (most < 40 ? most : 40) + 1) * 512;
        unsigned pieces = (unsigned)(xorshift(&x) % BLOCK_PIECES) + 1;

        if (xorshift(&x) & 1) {
            memset(bytes, (int)n, len);
            memcpy(bytes, &n, sizeof n);
            cr_assert_eq(block_rig_do(&t, BLOCK_WRITE, at, bytes, len, pieces), 0);
            memcpy(model + at, bytes, len);
        } else {
            memset(bytes, 0x55, len);
            cr_assert_eq(block_rig_do(&t, BLOCK_READ, at, bytes, len, pieces), 0);
            cr_assert(!memcmp(bytes, model + at, len), "request %u: %llu bytes at %#llx", n,
                      (unsigned long long)len, (unsigned long long)at);
        }
        if (n % 100 == 0)
            cr_assert_eq(block_rig_flush(&t), 0);
    }
}

Test(block_raw, bytes_are_the_files)
{
    static const enum cache_mode modes[] = {CACHE_WRITEBACK, CACHE_WRITETHROUGH, CACHE_NONE,
                                            CACHE_DIRECTSYNC, CACHE_UNSAFE};
    struct blockdev_info i;

    for (unsigned m = 0; m < ARRAY_LEN(modes); m++) {
        begin(SIZE);
        t.spec.cache = modes[m];
        open_drive();
        blockdev_info(&t.dev, &i);
        cr_expect(i.size == SIZE && i.sector == 512 && !i.read_only && !i.removable);
        exercise(SIZE, 1 + m);
        block_rig_close(&t);
        cr_expect(file_now(got, SIZE) == SIZE && !memcmp(got, model, SIZE), "cache mode %u", m);
        unlink(path);
    }
}

Test(block_raw, aligned_requests_go_past_the_cache)
{
    uint8_t *page = aligned_alloc(4096, 8192);

    begin(SIZE);
    t.spec.cache = CACHE_NONE;
    open_drive();
    for (unsigned n = 0; n < 64; n++) { /* aligned and not, one after the other on the same place */
        memset(page, (int)n, 8192);
        cr_assert_eq(block_rig_write(&t, 4096, page, 4096), 0);
        memset(page, (int)n + 1, 512);
        cr_assert_eq(block_rig_write(&t, 4096 + 512, page, 512), 0);
        cr_assert_eq(block_rig_read(&t, 4096, page, 4096), 0);
        cr_expect(page[0] == n && page[512] == n + 1 && page[1024] == n);
    }
    end();
    free(page);
}

Test(block_raw, last_sector_is_whole)
{
    static uint8_t sector[1024];
    struct blockdev_info i;

    begin(2000);
    open_drive();
    blockdev_info(&t.dev, &i);
    cr_expect_eq(i.size, 2048);
    memset(sector, 0x55, sizeof sector);
    cr_expect_eq(block_rig_do(&t, BLOCK_READ, 1024, sector, 1024, 3), 0);
    cr_expect(!memcmp(sector, model + 1024, 1024), "zeroes follow the file's end");
    cr_expect_eq(block_rig_read(&t, 2048, sector, 512), BACKEND_RANGE);
    cr_expect_eq(block_rig_read(&t, 1024 + 512, sector, 1024), BACKEND_RANGE);
    cr_expect_eq(block_rig_read(&t, 256, sector, 512), BACKEND_RANGE);
    end();
}

Test(block_raw, slice_is_all_there_is)
{
    static uint8_t sector[4096];
    struct blockdev_info i;

    begin(SIZE);
    t.spec.offset = 8192;
    t.spec.size = 65536;
    open_drive();
    blockdev_info(&t.dev, &i);
    cr_expect_eq(i.size, 65536);
    cr_expect_eq(block_rig_read(&t, 0, sector, 4096), 0);
    cr_expect(!memcmp(sector, model + 8192, 4096));
    memset(sector, 0xee, sizeof sector);
    cr_expect_eq(block_rig_write(&t, 0, sector, 4096), 0);
    cr_expect_eq(block_rig_write(&t, 65536 - 4096, sector, 4096), 0);
    cr_expect_eq(block_rig_write(&t, 65536, sector, 512), BACKEND_RANGE);
    cr_expect_eq(block_rig_write(&t, 65536 - 512, sector, 1024), BACKEND_RANGE);
    cr_expect_eq(block_rig_write(&t, (uint64_t)-512, sector, 512), BACKEND_RANGE);
    cr_expect_eq(block_rig_write(&t, (uint64_t)-8192, sector, 512), BACKEND_RANGE);
    cr_expect_eq(block_rig_do(&t, BLOCK_DISCARD, 65536 - 512, NULL, 1024, 0), BACKEND_RANGE);
    block_rig_close(&t);
    memset(model + 8192, 0xee, 4096);
    memset(model + 8192 + 65536 - 4096, 0xee, 4096);
    cr_expect(file_now(got, SIZE) == SIZE && !memcmp(got, model, SIZE), "a neighbour was written");
    unlink(path);
}

Test(block_raw, slices_that_do_not_fit_are_refused)
{
    static const struct {
        uint64_t offset, size;
        const char *says;
    } rows[] = {
        {100, 0, "multiples of 512"},
        {0, 100, "multiples of 512"},
        {SIZE, 0, "does not lie in it"},
        {512, SIZE, "does not lie in it"},
        {1ull << 62, 512, "does not lie in it"},
        {512, 1ull << 62, "does not lie in it"},
    };

    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        begin(SIZE);
        t.spec.offset = rows[n].offset;
        t.spec.size = rows[n].size;
        cr_expect_eq(block_rig_open(&t, SANDBOX_ON), -1, "row %u", n);
        cr_expect(strstr(t.e.text, rows[n].says), "row %u: %s", n, t.e.text);
        end();
    }
}

Test(block_raw, snapshot_leaves_the_image_alone)
{
    static uint8_t before[SIZE];
    uint8_t sector[512] = {0};

    begin(SIZE - 100); /* the last cluster is not whole */
    memcpy(before, model, SIZE);
    chmod(path, 0444);
    t.spec.snapshot = true;
    open_drive();
    exercise((SIZE - 100 + 511) / 512 * 512, 77);
    cr_expect_eq(block_rig_do(&t, BLOCK_DISCARD, 0, NULL, 512, 0), 0);
    cr_expect_eq(block_rig_write(&t, SIZE, sector, 512), BACKEND_RANGE);
    block_rig_close(&t);
    cr_expect(file_now(got, SIZE) == SIZE - 100 && !memcmp(got, before, SIZE - 100));
    unlink(path);
}

Test(block_raw, read_only)
{
    uint8_t sector[2048] = {0};
    struct blockdev_info i;

    for (unsigned cd = 0; cd < 2; cd++) {
        begin(SIZE);
        t.spec.read_only = !cd;
        t.spec.cdrom = cd;
        open_drive();
        blockdev_info(&t.dev, &i);
        cr_expect(i.read_only && i.removable == cd && i.sector == (cd ? 2048 : 512));
        cr_expect_eq(block_rig_write(&t, 0, sector, 2048), BACKEND_READ_ONLY);
        cr_expect_eq(block_rig_do(&t, BLOCK_DISCARD, 0, NULL, 512, 0), BACKEND_READ_ONLY);
        cr_expect_eq(block_rig_read(&t, 2048, sector, 2048), 0);
        cr_expect_eq(block_rig_flush(&t), 0);
        cr_expect(!memcmp(sector, model + 2048, 2048));
        end();
    }
}

Test(block_raw, empty_drive)
{
    uint8_t sector[512];

    memset(&t, 0, sizeof t);
    t.spec.cdrom = true;
    open_drive();
    cr_expect_eq(block_rig_read(&t, 0, sector, 512), BACKEND_NO_MEDIUM);
    cr_expect_eq(block_rig_flush(&t), BACKEND_NO_MEDIUM);
    block_rig_close(&t);
}

Test(block_raw, discard_gives_room_back)
{
    struct stat st;

    begin(SIZE);
    t.spec.discard = true;
    open_drive();
    cr_expect_eq(block_rig_do(&t, BLOCK_DISCARD, 65536, NULL, SIZE / 2, 0), 0);
    cr_expect_eq(block_rig_read(&t, 65536, got, SIZE / 2), 0);
    if (t.drive.info.can_discard && !stat(path, &st) && (uint64_t)st.st_blocks * 512 < SIZE)
        for (unsigned n = 0; n < SIZE / 2; n++)
            cr_assert_eq(got[n], 0);
    cr_expect_eq(block_rig_read(&t, 0, got, 65536), 0);
    cr_expect(!memcmp(got, model, 65536));
    end();
    begin(SIZE); /* without discard=unmap it does nothing */
    open_drive();
    cr_expect(!t.drive.info.can_discard);
    cr_expect_eq(block_rig_do(&t, BLOCK_DISCARD, 0, NULL, SIZE, 0), 0);
    cr_expect_eq(block_rig_read(&t, 0, got, SIZE), 0);
    cr_expect(!memcmp(got, model, SIZE), "discard=ignore changed something");
    end();
}

/* ---- what the host cannot do ---- */

Test(block_raw, file_became_shorter)
{
    uint8_t sector[1024];

    begin(SIZE);
    open_drive();
    cr_expect_eq(truncate(path, SIZE / 2 + 100), 0);
    cr_expect_eq(block_rig_read(&t, SIZE / 2, sector, 512), BACKEND_IO);
    cr_expect_eq(t.drive.failed_errno, ENODATA);
    cr_expect_eq(block_rig_read(&t, SIZE - 512, sector, 512), BACKEND_IO);
    cr_expect_eq(block_rig_read(&t, 0, sector, 512), 0, "the rest is still there");
    cr_expect_eq(truncate(path, SIZE), 0);
    cr_expect_eq(block_rig_read(&t, SIZE - 512, sector, 512), 0);
    end();
}

static void limit_files(rlim_t bytes)
{
    struct rlimit r = {bytes, RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
}

Test(block_raw, no_room_on_the_host)
{
    for (unsigned snapshot = 0; snapshot < 2; snapshot++) {
        static uint8_t sectors[8192];

        begin(SIZE);
        t.spec.snapshot = snapshot;
        open_drive();
        limit_files(65536 + 4096);
        memset(sectors, 0xcc, sizeof sectors);
        cr_expect_eq(block_rig_write(&t, 0, sectors, 512), 0);
        cr_expect_eq(block_rig_write(&t, 131072, sectors, 512), BACKEND_NO_SPACE);
        cr_expect_eq(block_rig_write(&t, 65536, sectors, 8192), BACKEND_NO_SPACE, "in part");
        cr_expect_eq(t.drive.failed_errno, EFBIG);
        cr_expect_eq(block_rig_read(&t, 131072, sectors, 512), 0);
        cr_expect(!memcmp(sectors, model + 131072, 512), "the old bytes are still there");
        limit_files(RLIM_INFINITY);
        cr_expect_eq(block_rig_write(&t, 131072, sectors, 512), 0, "and it goes on");
        end();
    }
}

Test(block_raw, not_an_image)
{
    static const struct {
        const char *path, *says;
    } rows[] = {
        {"/nonexistent/x", "No such file"},
        {"/tmp", "is a directory"},
        {"/dev/null", "neither a file nor a disk"},
    };

    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        memset(&t, 0, sizeof t);
        strcpy(t.spec.path, rows[n].path);
        cr_expect_eq(block_rig_open(&t, SANDBOX_ON), -1, "row %u", n);
        cr_expect(strstr(t.e.text, rows[n].says), "row %u: %s", n, t.e.text);
        block_rig_close(&t);
    }
    begin(0);
    cr_expect_eq(block_rig_open(&t, SANDBOX_ON), -1);
    cr_expect(strstr(t.e.text, "is empty"), "%s", t.e.text);
    end();
}

/* ---- formats ---- */

Test(block_raw, guest_cannot_make_another_format)
{
    static const char header[512] = "QFI\xfb\0\0\0\3";
    uint8_t sector[512], pieces[1024];

    for (unsigned said = 0; said < 2; said++) {
        begin(SIZE);
        if (!said)
            t.spec.format[0] = 0;
        open_drive();
        memcpy(sector, header, 512);
        memcpy(pieces, header, 512);
        cr_expect_eq(block_rig_write(&t, 0, sector, 512), said ? 0 : BACKEND_IO);
        cr_expect_eq(block_rig_do(&t, BLOCK_WRITE, 0, pieces, 1024, 16), said ? 0 : BACKEND_IO);
        cr_expect_eq(block_rig_write(&t, 512, sector, 512), 0);
        cr_expect_eq(block_rig_read(&t, 0, sector, 512), 0);
        cr_expect_eq(!memcmp(sector, header, 512), said);
        end();
    }
}

/* ---- locks ---- */

/* Tries to open the image in a process of its own. */
static bool opens_elsewhere(bool read_only, bool snapshot)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        static struct block_drive other;
        static struct drive_spec s;
        struct error e;

        strcpy(s.path, path);
        strcpy(s.format, "raw");
        s.read_only = read_only;
        s.snapshot = snapshot;
        _exit(block_open(&other, &s, SANDBOX_ON, &e) ? 1 + !strstr(e.text, path) : 0);
    }
    waitpid(pid, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) < 2, "the sentence names the image");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Test(block_raw, one_writer_or_many_readers)
{
    begin(SIZE);
    open_drive();
    cr_expect(!opens_elsewhere(false, false) && !opens_elsewhere(true, false) &&
              !opens_elsewhere(false, true));
    block_close(&t.drive);
    cr_expect(opens_elsewhere(false, false), "the lock ends with the drive");
    t.spec.read_only = true;
    open_drive();
    cr_expect(!opens_elsewhere(false, false) && opens_elsewhere(true, false) &&
              opens_elsewhere(false, true));
    block_close(&t.drive);
    t.spec.read_only = false;
    t.spec.snapshot = true;
    open_drive();
    cr_expect(!opens_elsewhere(false, false) && opens_elsewhere(true, false) &&
              opens_elsewhere(false, true));
    end();
}
