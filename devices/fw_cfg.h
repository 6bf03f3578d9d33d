/* SPDX-License-Identifier: MIT */
/*
 * fw_cfg.h - the selector/data pair through which firmware and test programs ask what machine they
 * run on.
 *
 * Promises   Selecting a key nobody added, or reading beyond an item's end, gives zeroes. A command
 *            by DMA is done when the write that gave it ends.
 * Windows    0x510-0x511 -> offset 0 (one range: the selector is a 16-bit write to 0x510);
 *            fw_cfg_dma_ops: 0x514-0x51b -> offset 0.
 * Deviations A read by DMA that goes on for more than FW_CFG_DMA_BEYOND bytes after the item's end
 *            is an error, so that no command takes long.
 * Not here   Writing items.
 * Source     QEMU's docs/specs/fw_cfg: register layout, keys, file directory.
 */
#ifndef RING1_DEVICES_FW_CFG_H
#define RING1_DEVICES_FW_CFG_H

#include "devices/device.h"
#include "devices/dma.h"

#define FW_CFG_MAX_ITEMS  48
#define FW_CFG_MAX_FILES  16
#define FW_CFG_FIRST_FILE 0x20
#define FW_CFG_DMA_BEYOND 0x10000u

struct fw_cfg_item {
    uint16_t key;
    bool is_inline; /* bytes are at small[offset], else at data */
    uint16_t offset;
    uint32_t len;
    const uint8_t *data;
};

struct fw_cfg {
    uint16_t selector;
    uint32_t position;
    uint32_t dma_high;   /* of the address of the next command by DMA */
    uint8_t wires_begin; /* what follows is rebuilt by the board, not saved */
    unsigned item_count, file_count, small_used;
    struct fw_cfg_item item[FW_CFG_MAX_ITEMS];
    uint8_t dir[4 + 64 * FW_CFG_MAX_FILES]; /* the file directory, big-endian */
    uint8_t small[512];
    struct dma dma;
    void (*on_select)(void *opaque, uint16_t key);
    void *select_opaque;
};

/* What fw_cfg_init() publishes under the well-known keys. Pointers must live as long as the
 * device. */
struct fw_cfg_config {
    uint64_t ram_size;
    unsigned cpu_count;
    bool nographic;
    bool boot_menu;
    const char *cmdline; /* may be NULL */
    const uint8_t *kernel, *initrd, *setup;
    uint32_t kernel_size, initrd_size, setup_size;
    uint32_t kernel_addr, initrd_addr, cmdline_addr, setup_addr, kernel_entry;
    struct dma dma; /* zero: the interface is not there, and the ID item says so */
};

extern const struct dev_ops fw_cfg_ops, fw_cfg_dma_ops;

void fw_cfg_init(struct fw_cfg *f, const struct fw_cfg_config *cfg);
/* Each returns 0, or -1 when full or when the key exists. Integers are copied, data is
 * referenced. */
int fw_cfg_add_bytes(struct fw_cfg *f, uint16_t key, const void *data, uint32_t len);
int fw_cfg_add_int(struct fw_cfg *f, uint16_t key, uint64_t value, unsigned bytes);
int fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, uint32_t len);
/* `fn` may write to the bytes of the item that is about to be read, not change its length. */
void fw_cfg_on_select(struct fw_cfg *f, void (*fn)(void *opaque, uint16_t key), void *opaque);

#endif
