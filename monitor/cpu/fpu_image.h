/* SPDX-License-Identifier: MIT */
/*
 * fpu_image.h - offsets in the FXSAVE image, status-word bits, and unaligned access to saved
 * images.
 * Source     SDM vol. 1, section 8.1 (x87 state), table 10-2 (FXSAVE, legacy 32-bit layout).
 */
#ifndef RING1_MONITOR_CPU_FPU_IMAGE_H
#define RING1_MONITOR_CPU_FPU_IMAGE_H

#include "include/ring1/types.h"

#define FXSAVE_SIZE   512u
#define FX_FCW        0u
#define FX_FSW        2u
#define FX_FTW        4u /* abridged: bit n set: physical register n is not empty */
#define FX_FOP        6u
#define FX_FIP        8u
#define FX_FCS        12u
#define FX_FDP        16u
#define FX_FDS        20u
#define FX_MXCSR      24u
#define FX_MXCSR_MASK 28u
#define FX_ST         32u /* ST(0) to ST(7), 16 bytes each, in stack order */
#define FX_XMM        160u
#define FX_LEGACY_END 288u /* a 32-bit FXSAVE writes nothing from here on */

#define MXCSR_MASK_DEFAULT 0xffbfu /* when the image says 0; SDM vol. 1, section 11.6.6 */

#define FSW_EXCEPTIONS 0x3fu
#define FSW_PE         0x20u
#define FSW_ES         0x80u
#define FSW_TOP_SHIFT  11

static inline uint16_t image_get16(const uint8_t *p, unsigned off)
{
    return (uint16_t)(p[off] | p[off + 1] << 8);
}
static inline uint32_t image_get32(const uint8_t *p, unsigned off)
{
    return image_get16(p, off) | (uint32_t)image_get16(p, off + 2) << 16;
}
static inline void image_put16(uint8_t *p, unsigned off, uint32_t val)
{
    p[off] = (uint8_t)val;
    p[off + 1] = (uint8_t)(val >> 8);
}
static inline void image_put32(uint8_t *p, unsigned off, uint32_t val)
{
    image_put16(p, off, val);
    image_put16(p, off + 2, val >> 16);
}

#endif
