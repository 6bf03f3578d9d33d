/* SPDX-License-Identifier: MIT */
/*
 * config.h - what the user asked for, checked and in the machine's own terms. cli/options.c fills
 * it in.
 */
#ifndef RING1_HOST_LINUX_CONFIG_H
#define RING1_HOST_LINUX_CONFIG_H

#include "bt/cache/options.h"
#include "devices/pc.h"
#include "include/ring1/types.h"
#include "monitor/cpu/cpuid.h"

#define MAX_SERIAL       4u
#define FIRMWARE_FOLDERS 8u
#define MIB              (1024ull * 1024)
#define RAM_MIN          (1 * MIB)
#define RAM_MAX          (3584 * MIB) /* below the PCI hole at 0xe0000000 (monitor/cpu/vm.h) */

/* The translator's code cache: host memory that is used only as far as there is code. */
#define CACHE_MIN (1 * MIB)
#define CACHE_MAX (1024 * MIB)

/* How guest code is executed. */
enum exec_mode {
    EXEC_INTERPRET,
    EXEC_TRANSLATE,
    EXEC_LOCKSTEP, /* both, block by block, until they differ */
};

enum sandbox_mode {
    SANDBOX_OFF,
    SANDBOX_ON,     /* a forbidden system call kills the process */
    SANDBOX_REPORT, /* it fails, and ends in a crash report */
};

enum console_kind {
    CONSOLE_NONE, /* no device at all */
    CONSOLE_NULL, /* a device connected to nothing */
    CONSOLE_STDIO,
    CONSOLE_FILE,
    CONSOLE_PTY,
    CONSOLE_UNIX,
};

/* The argument of -serial and -debugcon. */
struct console_spec {
    enum console_kind kind;
    bool mux;    /* mon:stdio: Ctrl-A is the escape character, Ctrl-C goes to the guest */
    bool server; /* unix: listen instead of connecting */
    bool wait;   /* unix server: do not start before a client came */
    char path[256];
};

/* ---- drives ---- */

#define MAX_DRIVES     16u /* that options name */
#define IDE_DRIVES     4u  /* that the board's IDE controller has: 2 * bus + unit */
#define DRIVE_DETACHED -1

enum cache_mode {
    CACHE_WRITEBACK,    /* the host's page cache; a flush of the guest's goes to the disk */
    CACHE_WRITETHROUGH, /* the same, and each write goes to the disk before it ends */
    CACHE_NONE,         /* past the host's page cache */
    CACHE_DIRECTSYNC,   /* past it, and each write goes to the disk */
    CACHE_UNSAFE,       /* the guest's flushes do nothing */
};

/* What -drive and its kin say of one drive. */
struct drive_spec {
    char path[1024]; /* "": an empty drive */
    char format[16]; /* "raw", "qcow2", ...; "": what the image looks like */
    char id[64];     /* "": none */
    int at;          /* 0 to IDE_DRIVES - 1; DRIVE_DETACHED: no device has it */
    bool cdrom;      /* a CD-ROM drive: removable, read-only, sectors of 2048 bytes */
    bool read_only, snapshot, discard;
    bool snapshot_given; /* on or off: -snapshot changes nothing */
    enum cache_mode cache;
    uint64_t offset, size; /* bytes: a slice of a raw image; size 0: to its end */
};

enum rtc_base { RTC_UTC, RTC_LOCALTIME, RTC_DATE };

struct config {
    const char *kernel, *initrd, *append;          /* NULL when not given; append "" */
    const char *bios;                              /* without a kernel: what to start instead */
    const char *firmware_folder[FIRMWARE_FOLDERS]; /* -L, in order */
    unsigned firmware_folder_count;
    struct pc_boot boot;
    bool nographic;
    const char *name; /* NULL when not given */
    uint64_t ram_size;
    const struct cpu_model *cpu;
    bool acpi;
    enum rtc_base rtc_base;
    int64_t rtc_date; /* RTC_DATE: seconds since 1970, read as UTC */
    bool debug_exit;
    uint32_t debug_exit_base, debug_exit_size;
    bool testdev;
    bool vga; /* a graphics card */
    unsigned serial_count;
    struct console_spec serial[MAX_SERIAL];
    struct console_spec debugcon; /* CONSOLE_NONE: no debug port */
    uint16_t debugcon_port;
    unsigned drive_count;
    struct drive_spec drive[MAX_DRIVES];
    bool no_reboot, no_shutdown, stats;
    enum exec_mode exec;
    uint64_t cache_size; /* bytes of translated code */
    struct bt_options bt;
    enum sandbox_mode sandbox;
    uint32_t trace_mask;
    const char *trace_path; /* NULL: standard error */
};

#endif
