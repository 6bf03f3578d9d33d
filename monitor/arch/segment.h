/* SPDX-License-Identifier: MIT */
/*
 * segment.h - descriptors: parsing, loading segment registers with all checks, LAR/LSL/VERR/VERW,
 * LDTR and TR.
 *
 * Source     SDM vol. 3A, chapters 3 and 5; vol. 2, pages of the instructions.
 */
#ifndef RING1_MONITOR_ARCH_SEGMENT_H
#define RING1_MONITOR_ARCH_SEGMENT_H

#include "monitor/cpu/vcpu.h"

struct descriptor {
    uint32_t lo, hi; /* as in memory */
};

/* Fields of a descriptor (SDM vol. 3A, figures 3-8 and 6-2). */
static inline unsigned desc_type(struct descriptor d)
{
    return d.hi >> 8 & 0xf;
}
static inline bool desc_is_system(struct descriptor d)
{
    return !(d.hi & 1u << 12);
}
static inline unsigned desc_dpl(struct descriptor d)
{
    return d.hi >> 13 & 3;
}
static inline bool desc_present(struct descriptor d)
{
    return d.hi & 1u << 15;
}
static inline bool desc_is_code(struct descriptor d)
{
    return (d.hi & 0x1800) == 0x1800;
}
static inline bool desc_is_conforming(struct descriptor d)
{
    return (d.hi & 0x1c00) == 0x1c00;
}
static inline bool desc_is_readable(struct descriptor d)
{
    return (d.hi & 0x1800) == 0x1000 || (d.hi & 0x1a00) == 0x1a00;
}
static inline bool desc_is_writable(struct descriptor d)
{
    return (d.hi & 0x1a00) == 0x1200;
}
/* Types 1, 3, 9, 11. */
static inline bool desc_is_tss(struct descriptor d)
{
    return (d.hi & 0x1500) == 0x0100;
}
static inline uint32_t desc_limit(struct descriptor d)
{
    uint32_t limit = (d.lo & 0xffff) | (d.hi & 0xf0000);
    return d.hi & 1u << 23 ? limit << 12 | 0xfff : limit;
}
#define DESC_TSS_BUSY 0x200u /* in hi */

/* Null selectors are 0 to 3; error codes carry a selector without its RPL. */
static inline bool sel_is_null(uint16_t sel)
{
    return (sel & 0xfffc) == 0;
}
static inline uint32_t sel_error(uint16_t sel)
{
    return sel & 0xfffcu;
}

/* Recomputes lo, hi, acc of *s from attr and limit. `usable` false: null selector. */
void seg_derive(struct seg *s, bool usable);
/* Load a segment register as real mode and V86 do: base = sel << 4. Real mode keeps limit and attr
 * (big real mode); V86 sets a limit of 0xffff and DPL 3. */
void seg_load_real(struct vcpu *v, unsigned seg, uint16_t sel);
void seg_load_v86(struct vcpu *v, unsigned seg, uint16_t sel);
/* Splits a descriptor into *s (base, byte limit, attr, derived fields). */
void seg_from_descriptor(struct seg *s, uint16_t sel, struct descriptor d);

/* Loads ES, SS, DS, FS or GS as MOV, POP or LDS do, in any mode, with all checks and the accessed
 * bit; raises #GP, #SS, #NP or #PF, and #UD for CS. */
void seg_load(struct vcpu *v, unsigned seg, uint16_t sel);

/* Fetches the descriptor of `sel` from GDT or LDT. Returns false when outside the table (caller
 * raises). May raise #PF. */
bool descriptor_fetch(struct vcpu *v, uint16_t sel, struct descriptor *d);
/* Sets the accessed bit in memory if clear. */
void descriptor_set_accessed(struct vcpu *v, uint16_t sel, struct descriptor *d);
/* Makes CS and SS flat 4-GiB segments of privilege `cpl`, as SYSENTER and SYSEXIT do. */
void seg_set_flat(struct vcpu *v, uint16_t cs, uint16_t ss, unsigned cpl);
/* Writes CS and cpl after all checks were made; sets ATT_MODE when code size or CPL changed. */
void seg_set_cs(struct vcpu *v, uint16_t sel, struct descriptor d, unsigned cpl);

/* Checks `sel` as the stack segment of privilege level `cpl` and returns its descriptor. A wrong
 * selector, RPL, type or DPL raises `vector` (#GP, #TS), an absent segment #SS. `ext` is ORed into
 * the error code. */
struct descriptor seg_check_stack(struct vcpu *v, uint16_t sel, unsigned cpl, unsigned vector,
                                  unsigned ext);
/* Writes SS after all checks were made; sets ATT_MODE when the stack size changed. */
void seg_set_ss(struct vcpu *v, uint16_t sel, struct descriptor d);
/* Makes *s a null (unusable) segment holding `sel`. */
void seg_set_null(struct seg *s, uint16_t sel);

/* LAR, LSL, VERR and VERW (write). False means ZF = 0; then *rights or *limit is not written. */
bool seg_lar(struct vcpu *v, uint16_t sel, uint32_t *rights);
bool seg_lsl(struct vcpu *v, uint16_t sel, uint32_t *limit);
bool seg_ver(struct vcpu *v, uint16_t sel, bool write);

void seg_lldt(struct vcpu *v, uint16_t sel);
void seg_ltr(struct vcpu *v, uint16_t sel);

/* Raises #GP(0) unless IOPL or the TSS's bitmap allows an access to `size` ports from `port` on. */
void io_check(struct vcpu *v, uint16_t port, unsigned size);

#endif
