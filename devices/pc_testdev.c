/* SPDX-License-Identifier: MIT */
/*
 * pc_testdev.c - helper device of kvm-unit-tests. See pc_testdev.h.
 */
#include "devices/pc_testdev.h"

#include "include/ring1/mem.h"

static uint32_t low_bytes(unsigned size)
{
    return size >= 4 ? UINT32_MAX : (1u << (8 * size)) - 1;
}

/* `size` bytes of the value register from byte off & 3 on. */
static uint32_t value_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct pc_testdev *t = dev;

    (void)now;
    if (off & 4)
        return 0; /* the flush register */
    return (t->value >> (8 * (off & 3))) & low_bytes(size);
}

static void value_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct pc_testdev *t = dev;
    unsigned shift = 8 * (off & 3);

    (void)now;
    /* "Flush page" asks a hypervisor to drop its mapping of a page. Nothing that the guest can see
     * changes. */
    if (off & 4)
        return;
    t->value &= ~(low_bytes(size) << shift);
    t->value |= (val & low_bytes(size)) << shift;
}

static uint32_t irq_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    (void)dev;
    (void)off;
    (void)size;
    (void)now;
    return 0;
}

static void irq_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct pc_testdev *t = dev;

    (void)size;
    (void)now;
    if (off < PC_TESTDEV_IRQS)
        wire_set(&t->irq[off], val != 0);
}

static uint32_t mem_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct pc_testdev *t = dev;
    uint32_t val = 0;

    (void)now;
    if (off > PC_TESTDEV_MEM - size)
        return low_bytes(size);
    memcpy(&val, &t->mem[off], size);
    return val;
}

static void mem_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct pc_testdev *t = dev;

    (void)now;
    if (off <= PC_TESTDEV_MEM - size)
        memcpy(&t->mem[off], &val, size);
}

static void testdev_reset(void *dev)
{
    struct pc_testdev *t = dev;

    t->value = 0;
    memset(t->mem, 0, sizeof(t->mem));
}

void pc_testdev_init(struct pc_testdev *t, struct wire irqs)
{
    memset(t, 0, sizeof(*t));
    for (unsigned i = 0; i < PC_TESTDEV_IRQS; i++) {
        t->irq[i] = irqs;
        t->irq[i].pin = i;
    }
}

const struct dev_ops pc_testdev_ops = {
    .name = "pc-testdev",
    .state_size = offsetof(struct pc_testdev, wires_begin),
    .min_size = 1,
    .max_size = 4,
    .read = value_read,
    .write = value_write,
    .reset = testdev_reset,
};

const struct dev_ops pc_testdev_byte_ops = {
    .name = "pc-testdev-byte",
    .min_size = 1,
    .max_size = 1,
    .read = value_read,
    .write = value_write,
};

const struct dev_ops pc_testdev_irq_ops = {
    .name = "pc-testdev-irq",
    .min_size = 1,
    .max_size = 1,
    .read = irq_read,
    .write = irq_write,
};

const struct dev_ops pc_testdev_mem_ops = {
    .name = "pc-testdev-mem",
    .min_size = 1,
    .max_size = 4,
    .read = mem_read,
    .write = mem_write,
};
