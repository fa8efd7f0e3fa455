#include "textflag.h"

// func squares(z, x *Lanes, center *float64, n int)
// X0–X3: sums of lanes 0–1, 2–3, 4–5, 6–7.
TEXT ·squares(SB), NOSPLIT, $0-32
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ center+16(FP), DX
	MOVQ n+24(FP), CX
	XORPD X0, X0
	XORPD X1, X1
	XORPD X2, X2
	XORPD X3, X3
next:
	MOVSD    (DX), X8
	UNPCKLPD X8, X8
	MOVUPD   (SI), X4
	MOVUPD   16(SI), X5
	MOVUPD   32(SI), X6
	MOVUPD   48(SI), X7
	SUBPD    X8, X4
	SUBPD    X8, X5
	SUBPD    X8, X6
	SUBPD    X8, X7
	MULPD    X4, X4
	MULPD    X5, X5
	MULPD    X6, X6
	MULPD    X7, X7
	ADDPD    X4, X0
	ADDPD    X5, X1
	ADDPD    X6, X2
	ADDPD    X7, X3
	ADDQ     $64, SI
	ADDQ     $8, DX
	DECQ     CX
	JNZ      next
	MOVUPD   X0, (DI)
	MOVUPD   X1, 16(DI)
	MOVUPD   X2, 32(DI)
	MOVUPD   X3, 48(DI)
	RET

// func dot(z, x *Lanes, weights *float64, n int)
TEXT ·dot(SB), NOSPLIT, $0-32
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ weights+16(FP), DX
	MOVQ n+24(FP), CX
	XORPD X0, X0
	XORPD X1, X1
	XORPD X2, X2
	XORPD X3, X3
more:
	MOVSD    (DX), X8
	UNPCKLPD X8, X8
	MOVUPD   (SI), X4
	MOVUPD   16(SI), X5
	MOVUPD   32(SI), X6
	MOVUPD   48(SI), X7
	MULPD    X8, X4
	MULPD    X8, X5
	MULPD    X8, X6
	MULPD    X8, X7
	ADDPD    X4, X0
	ADDPD    X5, X1
	ADDPD    X6, X2
	ADDPD    X7, X3
	ADDQ     $64, SI
	ADDQ     $8, DX
	DECQ     CX
	JNZ      more
	MOVUPD   X0, (DI)
	MOVUPD   X1, 16(DI)
	MOVUPD   X2, 32(DI)
	MOVUPD   X3, 48(DI)
	RET

// Constants of portable.Exp, twice each.
#define TWICE(name, bits) \
	DATA name<>+0(SB)/8, bits \
	DATA name<>+8(SB)/8, bits \
	GLOBL name<>(SB), RODATA|NOPTR, $16

TWICE(invLn2, $0x3ff71547652b82fe)
TWICE(half, $0x3fe0000000000000)
TWICE(ln2Hi, $0x3fe62e42fee00000)
TWICE(ln2Lo, $0x3dea39ef35793c76)
TWICE(p1, $0x3fc5555555555555)
TWICE(p2, $0xbf66c16c16bebd93)
TWICE(p3, $0x3f11566aaf25de2c)
TWICE(p4, $0xbebbbd41c5d26bf1)
TWICE(p5, $0x3e66376972bea4d0)
TWICE(one, $0x3ff0000000000000)
TWICE(two, $0x4000000000000000)

// func falling(z *Lanes)
// Two lanes at a time: X0 v, then the result; X1 k, whole; X2 hi; X3 lo; X4 r; X5 t; X6 c.
TEXT ·falling(SB), NOSPLIT, $0-8
	MOVQ z+0(FP), DI
	MOVQ $4, CX
pair:
	MOVUPD    (DI), X0
	MOVAPD    X0, X1
	MULPD     invLn2<>(SB), X1
	SUBPD     half<>(SB), X1
	CVTTPD2PL X1, X1            // towards zero
	CVTPL2PD  X1, X7
	MOVAPD    X7, X2
	MULPD     ln2Hi<>(SB), X2
	SUBPD     X2, X0            // hi = v - k·ln2Hi
	MOVAPD    X0, X2
	MULPD     ln2Lo<>(SB), X7   // lo = k·ln2Lo
	MOVAPD    X7, X3
	MOVAPD    X2, X4
	SUBPD     X3, X4            // r = hi - lo
	MOVAPD    X4, X5
	MULPD     X5, X5            // t = r·r
	MOVAPD    X5, X6
	MULPD     p5<>(SB), X6
	ADDPD     p4<>(SB), X6
	MULPD     X5, X6
	ADDPD     p3<>(SB), X6
	MULPD     X5, X6
	ADDPD     p2<>(SB), X6
	MULPD     X5, X6
	ADDPD     p1<>(SB), X6
	MULPD     X5, X6
	MOVAPD    X4, X7
	SUBPD     X6, X7            // c = r - t·c
	MULPD     X7, X4            // r·c
	MOVUPD    two<>(SB), X8
	SUBPD     X7, X8            // 2 - c
	DIVPD     X8, X4
	SUBPD     X4, X3            // lo - r·c/(2-c)
	SUBPD     X2, X3            // … - hi
	MOVUPD    one<>(SB), X0
	SUBPD     X3, X0            // y = 1 - …
	PSLLL     $20, X1           // k to the exponent: into the upper half of each lane
	PXOR      X9, X9
	PUNPCKLLQ X1, X9
	PADDQ     X9, X0
	MOVUPD    X0, (DI)
	ADDQ      $16, DI
	DECQ      CX
	JNZ       pair
	RET
