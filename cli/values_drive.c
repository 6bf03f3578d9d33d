/* SPDX-License-Identifier: MIT */
/* values_drive.c - the arguments of the options about disks: -drive, -hda and its kin,
 * -blockdev, -device ide-hd and ide-cd. See options.h. What belongs together by names (id,
 * node-name) has to come in that order. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "cli/values_priv.h"

#define BUSES    2u
#define UNITS    2u
#define CD_INDEX 2 /* where -cdrom puts it */

/* One option that is being read. */
struct drive_parse {
    const char *option, *text;
    struct config *cfg;
    struct error *e;
    struct drive_spec spec;
    int index, bus, unit; /* -1: not given */
    bool detached;        /* if=none */
    bool cdrom_given, direct, no_flush;
    char file_node[64]; /* -blockdev file=NODE */
};

static int wrong(struct drive_parse *p, const char *key, const char *what)
{
    return error_set(p->e, "-%s %s: %s is %s", p->option, p->text, key, what);
}

static int copy(struct drive_parse *p, const char *key, char *to, size_t cap, const char *value)
{
    if (!*value || strlen(value) >= cap)
        return error_set(p->e, "-%s %s: %s is a name of 1 to %zu characters", p->option, p->text,
                         key, cap - 1);
    strcpy(to, value);
    return 0;
}

static int number(struct drive_parse *p, const char *key, const char *value, unsigned count,
                  int *to)
{
    uint64_t n;
    char what[48];

    snprintf(what, sizeof what, "a number from 0 to %u", count - 1);
    if (!parse_number(value, count - 1, &n))
        return wrong(p, key, what);
    *to = (int)n;
    return 0;
}

static int bytes(struct drive_parse *p, const char *key, const char *value, uint64_t *to)
{
    if (parse_number(value, INT64_MAX, to)) /* without a suffix it counts bytes */
        return 0;
    size_t len = strlen(value);
    if (len && !isdigit((unsigned char)value[len - 1]) && parse_size(value, to) && *to <= INT64_MAX)
        return 0;
    return wrong(p, key, "a number of bytes, or has a suffix like 64M");
}

static int on_or_off(struct drive_parse *p, const char *key, const char *value, bool *to)
{
    return on_off(value, to) ? wrong(p, key, "on or off") : 0;
}

/* ---- properties ---- */

static int set_interface(struct drive_parse *p, const char *key, const char *value)
{
    static const char *const later[] = {"floppy", "virtio", "scsi", "pflash", "sd", "mtd"};

    p->detached = !strcmp(value, "none");
    if (p->detached || !strcmp(value, "ide"))
        return 0;
    for (unsigned i = 0; i < ARRAY_LEN(later); i++)
        if (!strcmp(value, later[i]))
            return error_set(p->e, "-%s %s: ring1 has no %s drives yet; if=ide is possible",
                             p->option, p->text, value);
    return wrong(p, key, "ide or none");
}

static int set_cache(struct drive_parse *p, const char *key, const char *value)
{
    static const char *const names[] = {
        [CACHE_WRITEBACK] = "writeback", [CACHE_WRITETHROUGH] = "writethrough",
        [CACHE_NONE] = "none",           [CACHE_DIRECTSYNC] = "directsync",
        [CACHE_UNSAFE] = "unsafe",
    };

    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(value, names[i])) {
            p->spec.cache = (enum cache_mode)i;
            return 0;
        }
    return wrong(p, key, "writeback, writethrough, none, directsync or unsafe");
}

static int set_media(struct drive_parse *p, const char *key, const char *value)
{
    p->spec.cdrom = !strcmp(value, "cdrom");
    p->cdrom_given = true;
    return p->spec.cdrom || !strcmp(value, "disk") ? 0 : wrong(p, key, "disk or cdrom");
}

static int set_discard(struct drive_parse *p, const char *key, const char *value)
{
    p->spec.discard = !strcmp(value, "unmap") || !strcmp(value, "on");
    return p->spec.discard || !strcmp(value, "ignore") || !strcmp(value, "off")
               ? 0
               : wrong(p, key, "ignore or unmap");
}

/* Format names are checked where the image is opened, too; here for a sentence with the option. */
static int set_format(struct drive_parse *p, const char *key, const char *value)
{
    static const char *const names[] = {"raw", "qcow2",     "qcow",  "qed",   "vmdk", "vdi", "vhdx",
                                        "vpc", "parallels", "bochs", "cloop", "luks", "dmg"};

    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(value, names[i]))
            return copy(p, key, p->spec.format, sizeof p->spec.format, value);
    return wrong(p, key, "raw, qcow2, vmdk, vdi, vhdx, vpc or another format of qemu-img");
}

enum property {
    P_FILE,
    P_FORMAT,
    P_IF,
    P_MEDIA,
    P_INDEX,
    P_BUS,
    P_UNIT,
    P_SNAPSHOT,
    P_READ_ONLY,
    P_CACHE,
    P_OFFSET,
    P_SIZE,
    P_ID,
    P_DISCARD,
    P_DIRECT,
    P_NO_FLUSH,
    P_FILE_DRIVER,
    P_FILE_NODE,
    P_ANYHOW, /* how the host does it: nothing that the guest sees */
};

struct property_row {
    const char *name;
    enum property is;
};

static const struct property_row drive_rows[] = {
    {"file", P_FILE},
    {"format", P_FORMAT},
    {"driver", P_FORMAT},
    {"if", P_IF},
    {"media", P_MEDIA},
    {"index", P_INDEX},
    {"bus", P_BUS},
    {"unit", P_UNIT},
    {"snapshot", P_SNAPSHOT},
    {"readonly", P_READ_ONLY},
    {"read-only", P_READ_ONLY},
    {"cache", P_CACHE},
    {"offset", P_OFFSET},
    {"size", P_SIZE},
    {"id", P_ID},
    {"discard", P_DISCARD},
    {"aio", P_ANYHOW},
};

static const struct property_row node_rows[] = {
    {"driver", P_FORMAT},           {"node-name", P_ID},        {"read-only", P_READ_ONLY},
    {"file.driver", P_FILE_DRIVER}, {"file.filename", P_FILE},  {"filename", P_FILE},
    {"file", P_FILE_NODE},          {"cache.direct", P_DIRECT}, {"cache.no-flush", P_NO_FLUSH},
    {"offset", P_OFFSET},           {"size", P_SIZE},           {"discard", P_DISCARD},
    {"auto-read-only", P_ANYHOW},   {"aio", P_ANYHOW},          {"file.aio", P_ANYHOW},
};

static int set_property(struct drive_parse *p, const struct property_row *row, const char *value)
{
    struct drive_spec *s = &p->spec;

    switch (row->is) {
    case P_FILE:
        return *value ? copy(p, row->name, s->path, sizeof s->path, value) : 0;
    case P_FORMAT:
        return set_format(p, row->name, value);
    case P_IF:
        return set_interface(p, row->name, value);
    case P_MEDIA:
        return set_media(p, row->name, value);
    case P_INDEX:
        return number(p, row->name, value, IDE_DRIVES, &p->index);
    case P_BUS:
        return number(p, row->name, value, BUSES, &p->bus);
    case P_UNIT:
        return number(p, row->name, value, UNITS, &p->unit);
    case P_SNAPSHOT:
        s->snapshot_given = true;
        return on_or_off(p, row->name, value, &s->snapshot);
    case P_READ_ONLY:
        return on_or_off(p, row->name, value, &s->read_only);
    case P_CACHE:
        return set_cache(p, row->name, value);
    case P_OFFSET:
        return bytes(p, row->name, value, &s->offset);
    case P_SIZE:
        return bytes(p, row->name, value, &s->size);
    case P_ID:
        return copy(p, row->name, s->id, sizeof s->id, value);
    case P_DISCARD:
        return set_discard(p, row->name, value);
    case P_DIRECT:
        return on_or_off(p, row->name, value, &p->direct);
    case P_NO_FLUSH:
        return on_or_off(p, row->name, value, &p->no_flush);
    case P_FILE_DRIVER:
        return strcmp(value, "file") && strcmp(value, "host_device") ? wrong(p, row->name, "file")
                                                                     : 0;
    case P_FILE_NODE:
        return copy(p, row->name, p->file_node, sizeof p->file_node, value);
    case P_ANYHOW:
        return 0;
    }
    return -1;
}

/* Copies "key=value" up to a comma that is not doubled; returns what follows it, NULL at the
 * end. */
static const char *next_property(const char *list, char *out, size_t cap)
{
    size_t n = 0;

    for (; *list && (*list != ',' || list[1] == ','); list++) {
        list += *list == ',';
        if (n + 1 < cap)
            out[n++] = *list;
    }
    out[n] = 0;
    return *list ? list + 1 : NULL;
}

static int set_one(struct drive_parse *p, char *piece, const struct property_row *rows,
                   unsigned count)
{
    char *value = strchr(piece, '=');

    if (value)
        *value++ = 0;
    for (unsigned i = 0; i < count; i++)
        if (!strcmp(piece, rows[i].name)) {
            bool is_switch = rows[i].is == P_READ_ONLY || rows[i].is == P_SNAPSHOT;
            if (!value && !is_switch)
                return wrong(p, piece, "not given a value");
            return set_property(p, &rows[i], value ? value : "on");
        }
    return error_set(p->e, "-%s %s: unknown property '%s'", p->option, p->text, piece);
}

static int set_all(struct drive_parse *p, const struct property_row *rows, unsigned count)
{
    char piece[sizeof p->spec.path + 32];

    for (const char *list = p->text; list;) {
        list = next_property(list, piece, sizeof piece);
        if (set_one(p, piece, rows, count))
            return -1;
    }
    return 0;
}

/* ---- where drives are ---- */

static struct drive_spec *drive_by_id(struct config *cfg, const char *id)
{
    for (unsigned i = 0; i < cfg->drive_count; i++)
        if (*id && !strcmp(cfg->drive[i].id, id))
            return &cfg->drive[i];
    return NULL;
}

static bool is_taken(const struct config *cfg, int at)
{
    for (unsigned i = 0; i < cfg->drive_count; i++)
        if (cfg->drive[i].at == at)
            return true;
    return false;
}

/* The place that was asked for, else the first free one of those that fit. */
static int find_place(struct drive_parse *p, int *at)
{
    if (p->index >= 0 && (p->bus >= 0 || p->unit >= 0))
        return error_set(p->e, "-%s %s: index and bus with unit say the same; give one", p->option,
                         p->text);
    if (p->index >= 0) {
        p->bus = p->index / (int)UNITS;
        p->unit = p->index % (int)UNITS;
    }
    for (*at = 0; *at < (int)IDE_DRIVES; ++*at) {
        bool fits = (p->bus < 0 || *at / (int)UNITS == p->bus) &&
                    (p->unit < 0 || *at % (int)UNITS == p->unit);
        if (fits && !is_taken(p->cfg, *at))
            return 0;
    }
    if (p->bus >= 0 && p->unit >= 0)
        return error_set(p->e, "-%s %s: there is a drive at bus %d, unit %d (index %d) already",
                         p->option, p->text, p->bus, p->unit, p->bus * (int)UNITS + p->unit);
    return error_set(p->e, "-%s %s: no place is free; the board has %u IDE drives", p->option,
                     p->text, IDE_DRIVES);
}

static int add_drive(struct drive_parse *p)
{
    struct drive_spec *s = &p->spec;

    if (p->cfg->drive_count == MAX_DRIVES)
        return error_set(p->e, "-%s %s: more than %u drives", p->option, p->text, MAX_DRIVES);
    if (drive_by_id(p->cfg, s->id))
        return error_set(p->e, "-%s %s: another drive is called '%s'", p->option, p->text, s->id);
    if ((s->offset || s->size) && *s->format && strcmp(s->format, "raw"))
        return error_set(p->e, "-%s %s: offset and size are for raw images", p->option, p->text);
    s->at = DRIVE_DETACHED;
    if (!p->detached && find_place(p, &s->at))
        return -1;
    s->read_only |= s->cdrom;
    p->cfg->drive[p->cfg->drive_count++] = *s;
    return 0;
}

static struct drive_parse begin(const char *option, const char *text, struct config *cfg,
                                struct error *e)
{
    return (struct drive_parse){
        .option = option, .text = text, .cfg = cfg, .e = e, .index = -1, .bus = -1, .unit = -1};
}

/* ---- options ---- */

int value_drive(const char *text, struct config *cfg, struct error *e)
{
    struct drive_parse p = begin("drive", text, cfg, e);

    if (set_all(&p, drive_rows, ARRAY_LEN(drive_rows)))
        return -1;
    if (!*p.spec.path && !p.spec.cdrom)
        return error_set(e, "-drive %s: a disk needs an image; add file=FILE", text);
    return add_drive(&p);
}

int value_disk(const char *option, const char *file, int index, bool cdrom, struct config *cfg,
               struct error *e)
{
    struct drive_parse p = begin(option, file, cfg, e);

    p.index = cdrom ? CD_INDEX : index;
    p.spec.cdrom = cdrom;
    if (copy(&p, "the image", p.spec.path, sizeof p.spec.path, file))
        return -1;
    return add_drive(&p);
}

int value_blockdev(const char *text, struct config *cfg, struct error *e)
{
    struct drive_parse p = begin("blockdev", text, cfg, e);
    struct drive_spec *s = &p.spec;
    static const char plain[] = "driver=file,";

    p.detached = true;
    if (text[0] == '{')
        return error_set(e, "-blockdev: ring1 reads driver=...,node-name=..., not JSON");
    if (!strncmp(text, plain, strlen(plain))) { /* the file itself is a node */
        p.text += strlen(plain);
        strcpy(s->format, "raw");
    }
    if (set_all(&p, node_rows, ARRAY_LEN(node_rows)))
        return -1;
    p.text = text;
    if (*p.file_node) {
        const struct drive_spec *file = drive_by_id(cfg, p.file_node);
        if (!file)
            return error_set(e, "-blockdev %s: no -blockdev before it has the node-name '%s'", text,
                             p.file_node);
        strcpy(s->path, file->path);
        s->read_only |= file->read_only;
    }
    if (!*s->format || !*s->id || !*s->path)
        return error_set(e, "-blockdev %s: driver, node-name and a file (file.filename) are needed",
                         text);
    s->cache = p.no_flush ? CACHE_UNSAFE : p.direct ? CACHE_NONE : CACHE_WRITEBACK;
    return add_drive(&p);
}

static int ide_property(struct drive_parse *p, const char *piece, struct drive_spec **drive)
{
    const char *id = value_of(piece, "drive"), *bus = value_of(piece, "bus"),
               *unit = value_of(piece, "unit"), *name = value_of(piece, "id");

    if (id) {
        *drive = drive_by_id(p->cfg, id);
        return *drive ? 0
                      : error_set(p->e,
                                  "-device %s: no -drive if=none,id=%s and no -blockdev "
                                  "node-name=%s comes before it",
                                  p->text, id, id);
    }
    if (bus)
        return strncmp(bus, "ide.", 4) ? wrong(p, "bus", "ide.0 or ide.1")
                                       : number(p, "bus", bus + 4, BUSES, &p->bus);
    if (unit)
        return number(p, "unit", unit, UNITS, &p->unit);
    if (name)
        return 0;
    return error_set(p->e, "-device %s: '%s' is unknown; ring1 knows drive, bus, unit and id",
                     p->text, piece);
}

int value_ide_device(const char *text, bool cdrom, const char *list, struct config *cfg,
                     struct error *e)
{
    struct drive_parse p = begin("device", text, cfg, e);
    struct drive_spec *drive = NULL;
    char piece[128];

    while (list) {
        list = next_piece(list, piece, sizeof piece);
        if (ide_property(&p, piece, &drive))
            return -1;
    }
    if (!drive && cdrom) { /* an empty one */
        p.spec.cdrom = true;
        return add_drive(&p);
    }
    if (!drive)
        return error_set(e, "-device %s: ide-hd needs drive=ID", text);
    if (drive->at != DRIVE_DETACHED)
        return error_set(e, "-device %s: the drive '%s' belongs to another device already", text,
                         drive->id);
    int at;
    if (find_place(&p, &at))
        return -1;
    drive->at = at;
    drive->cdrom = cdrom;
    drive->read_only |= cdrom;
    return 0;
}

void drives_snapshot(struct config *cfg)
{
    for (unsigned i = 0; i < cfg->drive_count; i++)
        if (!cfg->drive[i].snapshot_given)
            cfg->drive[i].snapshot = true;
}
