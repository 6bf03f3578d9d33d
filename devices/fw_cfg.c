/* SPDX-License-Identifier: MIT */
/*
 * fw_cfg.c - the firmware configuration device. See fw_cfg.h.
 */
#include "devices/fw_cfg.h"

#include "include/ring1/mem.h"

#define WRITE_CHANNEL                                                                              \
    0x4000u /* set in the selector to write an item; we have none that can be written */
#define ID_TRADITIONAL 1u /* selector and data ports */
#define ID_DMA         2u
#define DMA_SIGNATURE  "QEMU CFG" /* what the DMA registers read as */
/* A command: control, length, address, all big-endian. Control is written when it is done: 0 or an
 * error. */
#define COMMAND_LEN   16u
#define DMA_ERROR     0x01u
#define DMA_READ      0x02u
#define DMA_SKIP      0x04u
#define DMA_SELECT    0x08u /* the key is in the upper half of control */
#define DMA_WRITE     0x10u
#define FILE_NAME_MAX 56
#define E820_RAM      1

enum key {
    KEY_SIGNATURE = 0x00,
    KEY_ID = 0x01,
    KEY_UUID = 0x02,
    KEY_RAM_SIZE = 0x03,
    KEY_NOGRAPHIC = 0x04,
    KEY_NB_CPUS = 0x05,
    KEY_KERNEL_ADDR = 0x07,
    KEY_KERNEL_SIZE = 0x08,
    KEY_KERNEL_CMDLINE = 0x09,
    KEY_INITRD_ADDR = 0x0a,
    KEY_INITRD_SIZE = 0x0b,
    KEY_BOOT_DEVICE = 0x0c,
    KEY_NUMA = 0x0d,
    KEY_BOOT_MENU = 0x0e,
    KEY_MAX_CPUS = 0x0f,
    KEY_KERNEL_ENTRY = 0x10,
    KEY_KERNEL_DATA = 0x11,
    KEY_INITRD_DATA = 0x12,
    KEY_CMDLINE_ADDR = 0x13,
    KEY_CMDLINE_SIZE = 0x14,
    KEY_CMDLINE_DATA = 0x15,
    KEY_SETUP_ADDR = 0x16,
    KEY_SETUP_SIZE = 0x17,
    KEY_SETUP_DATA = 0x18,
    KEY_FILE_DIR = 0x19,
    KEY_IRQ0_OVERRIDE = 0x8002,
};

static const struct fw_cfg_item *item_find(const struct fw_cfg *f, uint16_t key)
{
    for (unsigned i = 0; i < f->item_count; i++)
        if (f->item[i].key == key)
            return &f->item[i];
    return NULL;
}

static struct fw_cfg_item *item_new(struct fw_cfg *f, uint16_t key, uint32_t len)
{
    struct fw_cfg_item *item;

    if (f->item_count == FW_CFG_MAX_ITEMS || item_find(f, key))
        return NULL;
    item = &f->item[f->item_count++];
    memset(item, 0, sizeof(*item));
    item->key = key;
    item->len = len;
    return item;
}

int fw_cfg_add_bytes(struct fw_cfg *f, uint16_t key, const void *data, uint32_t len)
{
    struct fw_cfg_item *item = item_new(f, key, data ? len : 0);

    if (!item)
        return -1;
    item->data = data;
    return 0;
}

/* A copy in the device's own small storage. */
static int add_copy(struct fw_cfg *f, uint16_t key, const void *data, uint32_t len)
{
    struct fw_cfg_item *item;

    if (len > sizeof(f->small) - f->small_used)
        return -1;
    item = item_new(f, key, len);
    if (!item)
        return -1;
    item->is_inline = true;
    item->offset = (uint16_t)f->small_used;
    memcpy(&f->small[f->small_used], data, len);
    f->small_used += len;
    return 0;
}

int fw_cfg_add_int(struct fw_cfg *f, uint16_t key, uint64_t value, unsigned bytes)
{
    uint8_t le[8];

    for (unsigned i = 0; i < sizeof(le); i++)
        le[i] = (uint8_t)(value >> (8 * i));
    return bytes > sizeof(le) ? -1 : add_copy(f, key, le, bytes);
}

static void put_be(uint8_t *at, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static size_t text_len(const char *text, size_t most)
{
    size_t n = 0;

    while (n < most && text[n])
        n++;
    return n;
}

/* Enters file number file_count, whose item exists, into the directory. */
static void directory_add(struct fw_cfg *f, const char *name, size_t name_len, uint32_t len)
{
    uint8_t *entry = &f->dir[4 + 64 * f->file_count];

    put_be(entry, len, 4);
    put_be(entry + 4, FW_CFG_FIRST_FILE + f->file_count, 2);
    memcpy(entry + 8, name, name_len);
    f->file_count++;
    put_be(f->dir, f->file_count, 4);
}

int fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, uint32_t len)
{
    size_t n = text_len(name, FILE_NAME_MAX);

    if (n == FILE_NAME_MAX || f->file_count == FW_CFG_MAX_FILES)
        return -1;
    if (fw_cfg_add_bytes(f, (uint16_t)(FW_CFG_FIRST_FILE + f->file_count), data, len))
        return -1;
    directory_add(f, name, n, data ? len : 0);
    return 0;
}

/* The memory map for firmware: one entry {address, length, type}, all little-endian. */
static void add_e820(struct fw_cfg *f, uint64_t ram_size)
{
    static const char name[] = "etc/e820";
    uint8_t entry[20];

    memset(entry, 0, sizeof(entry));
    for (unsigned i = 0; i < 8; i++)
        entry[8 + i] = (uint8_t)(ram_size >> (8 * i));
    entry[16] = E820_RAM;
    if (add_copy(f, (uint16_t)(FW_CFG_FIRST_FILE + f->file_count), entry, sizeof(entry)) == 0)
        directory_add(f, name, sizeof(name) - 1, sizeof(entry));
}

static uint8_t data_read(struct fw_cfg *f)
{
    const struct fw_cfg_item *item = item_find(f, f->selector);

    if (!item || f->position >= item->len)
        return 0;
    return (item->is_inline ? &f->small[item->offset] : item->data)[f->position++];
}

static uint32_t fw_cfg_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    (void)size;
    (void)now;
    return off == 1 ? data_read(dev) : 0; /* the selector is write-only */
}

static void fw_cfg_select(struct fw_cfg *f, uint16_t key)
{
    f->selector = (uint16_t)(key & ~WRITE_CHANNEL);
    f->position = 0;
    if (f->on_select)
        f->on_select(f->select_opaque, f->selector);
}

void fw_cfg_on_select(struct fw_cfg *f, void (*fn)(void *opaque, uint16_t key), void *opaque)
{
    f->on_select = fn;
    f->select_opaque = opaque;
}

static void fw_cfg_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct fw_cfg *f = dev;

    (void)now;
    if (off != 0 || size != 2)
        return; /* a byte to the data port, or half a selector */
    fw_cfg_select(f, (uint16_t)val);
}

static uint64_t get_be(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* Copies the next `len` bytes of the selected item to guest memory, zeroes after its end; with
 * `skip` only moves on. */
static bool dma_item(struct fw_cfg *f, gpa_t gpa, uint32_t len, bool skip)
{
    static const uint8_t zeroes[256];
    const struct fw_cfg_item *item = item_find(f, f->selector);
    uint32_t left = item && f->position < item->len ? item->len - f->position : 0;
    uint32_t n = len < left ? len : left;
    bool done = true;

    if (len - n > FW_CFG_DMA_BEYOND)
        return false;
    if (n && !skip)
        done = dma_write(&f->dma, gpa,
                         (item->is_inline ? &f->small[item->offset] : item->data) + f->position, n);
    f->position += n;
    for (len -= n, gpa += n; len && !skip; len -= n, gpa += n) {
        n = len < sizeof zeroes ? len : (uint32_t)sizeof zeroes;
        done &= dma_write(&f->dma, gpa, zeroes, n);
    }
    return done;
}

static void dma_command(struct fw_cfg *f, gpa_t at)
{
    uint8_t command[COMMAND_LEN], result[4];
    uint32_t control;
    bool done = true;

    if (!dma_read(&f->dma, at, command, sizeof command))
        return; /* there is nowhere to answer */
    control = (uint32_t)get_be(command, 4);
    if (control & DMA_SELECT)
        fw_cfg_select(f, (uint16_t)(control >> 16));
    if (control & (DMA_READ | DMA_SKIP))
        done = dma_item(f, get_be(command + 8, 8), (uint32_t)get_be(command + 4, 4),
                        !(control & DMA_READ));
    else if (control & DMA_WRITE)
        done = false; /* no item can be written */
    put_be(result, done ? 0 : DMA_ERROR, sizeof result);
    dma_write(&f->dma, at, result, sizeof result);
}

static uint32_t swap32(uint32_t x)
{
    return x << 24 | (x & 0xff00u) << 8 | (x >> 8 & 0xff00u) | x >> 24;
}

static uint32_t fw_cfg_dma_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    uint32_t value = 0;

    (void)dev, (void)now;
    for (unsigned n = size; n--;)
        value = value << 8 | (uint8_t)DMA_SIGNATURE[(off + n) & 7];
    return value;
}

/* Both halves are big-endian; the write of the low one gives the command. */
static void fw_cfg_dma_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct fw_cfg *f = dev;

    (void)now;
    if (!f->dma.write || size != 4)
        return;
    if (off == 0)
        f->dma_high = swap32(val);
    if (off != 4)
        return;
    gpa_t at = (gpa_t)f->dma_high << 32 | swap32(val);
    f->dma_high = 0;
    dma_command(f, at);
}

static void fw_cfg_reset(void *dev)
{
    struct fw_cfg *f = dev;

    f->dma_high = 0;
    f->selector = 0;
    f->position = 0;
}

void fw_cfg_init(struct fw_cfg *f, const struct fw_cfg_config *cfg)
{
    static const uint8_t uuid[16];
    const char *cmdline = cfg->cmdline ? cfg->cmdline : "";
    uint32_t cmdline_size = (uint32_t)text_len(cmdline, 0x10000) + 1;

    memset(f, 0, sizeof(*f));
    f->dma = cfg->dma;
    add_copy(f, KEY_SIGNATURE, "QEMU", 4);
    fw_cfg_add_int(f, KEY_ID, ID_TRADITIONAL | (cfg->dma.write ? ID_DMA : 0), 4);
    add_copy(f, KEY_UUID, uuid, sizeof(uuid));
    fw_cfg_add_int(f, KEY_RAM_SIZE, cfg->ram_size, 8);
    fw_cfg_add_int(f, KEY_NOGRAPHIC, cfg->nographic, 2);
    fw_cfg_add_int(f, KEY_NB_CPUS, cfg->cpu_count, 2);
    fw_cfg_add_int(f, KEY_MAX_CPUS, cfg->cpu_count, 2);
    fw_cfg_add_int(f, KEY_BOOT_DEVICE, 0, 2);
    fw_cfg_add_int(f, KEY_BOOT_MENU, cfg->boot_menu, 2);
    fw_cfg_add_int(f, KEY_NUMA, 0, 8);
    fw_cfg_add_int(f, KEY_IRQ0_OVERRIDE, 1, 4);
    fw_cfg_add_int(f, KEY_KERNEL_ADDR, cfg->kernel_addr, 4);
    fw_cfg_add_int(f, KEY_KERNEL_SIZE, cfg->kernel ? cfg->kernel_size : 0, 4);
    fw_cfg_add_int(f, KEY_KERNEL_ENTRY, cfg->kernel_entry, 4);
    fw_cfg_add_bytes(f, KEY_KERNEL_DATA, cfg->kernel, cfg->kernel_size);
    fw_cfg_add_int(f, KEY_INITRD_ADDR, cfg->initrd_addr, 4);
    fw_cfg_add_int(f, KEY_INITRD_SIZE, cfg->initrd ? cfg->initrd_size : 0, 4);
    fw_cfg_add_bytes(f, KEY_INITRD_DATA, cfg->initrd, cfg->initrd_size);
    fw_cfg_add_int(f, KEY_SETUP_ADDR, cfg->setup_addr, 4);
    fw_cfg_add_int(f, KEY_SETUP_SIZE, cfg->setup ? cfg->setup_size : 0, 4);
    fw_cfg_add_bytes(f, KEY_SETUP_DATA, cfg->setup, cfg->setup_size);
    fw_cfg_add_int(f, KEY_CMDLINE_ADDR, cfg->cmdline_addr, 4);
    fw_cfg_add_int(f, KEY_CMDLINE_SIZE, cmdline_size, 4);
    fw_cfg_add_bytes(f, KEY_CMDLINE_DATA, cmdline, cmdline_size);
    fw_cfg_add_bytes(f, KEY_KERNEL_CMDLINE, cmdline, cmdline_size);
    fw_cfg_add_bytes(f, KEY_FILE_DIR, f->dir, sizeof(f->dir));
    add_e820(f, cfg->ram_size);
}

const struct dev_ops fw_cfg_ops = {
    .name = "fw_cfg",
    .state_size = offsetof(struct fw_cfg, wires_begin),
    .min_size = 1,
    .max_size = 2,
    .read = fw_cfg_read,
    .write = fw_cfg_write,
    .reset = fw_cfg_reset,
    .version = 1,
};

const struct dev_ops fw_cfg_dma_ops = {
    .name = "fw_cfg DMA",
    .state_size = offsetof(struct fw_cfg, wires_begin),
    .min_size = 1,
    .max_size = 4,
    .read = fw_cfg_dma_read,
    .write = fw_cfg_dma_write,
};
