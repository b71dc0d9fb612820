"""Lists the registers of the Modbus door: SunSpec models with their points, as data.

A point is NAME:TYPE, then *SCALE (the point that has its scale factor), then =VALUE if it never
changes. A final `!` means that a master may set it here. A final `?` means that SunSpec lets a
master set it, but this door does not. TYPE is a letter and a size in bits: u unsigned, i signed, e
enumeration, b bits, f scale factor, p pad; or s for text, with its number of registers. Each model
begins with its number and its length.
"""

BASE = 40000
MARK = b"SunS"
MODELS = {
    1: """
Mn:s16=Firebreak Md:s16 Opt:s8 Vr:s8 SN:s16 DA:u16? Pad:p16
""",
    701: """
ACType:e16 St:e16 InvSt:e16 ConnSt:e16 Alrm:b32 DERMode:b32 W:i16*W_SF VA:i16*VA_SF Var:i16*Var_SF
PF:i16*PF_SF A:i16*A_SF LLV:u16*V_SF LNV:u16*V_SF Hz:u32*Hz_SF TotWhInj:u64*TotWh_SF
TotWhAbs:u64*TotWh_SF TotVarhInj:u64*TotVarh_SF TotVarhAbs:u64*TotVarh_SF TmpAmb:i16*Tmp_SF
TmpCab:i16*Tmp_SF TmpSnk:i16*Tmp_SF TmpTrns:i16*Tmp_SF TmpSw:i16*Tmp_SF TmpOt:i16*Tmp_SF
WL1:i16*W_SF VAL1:i16*VA_SF VarL1:i16*Var_SF PFL1:i16*PF_SF AL1:i16*A_SF VL1L2:u16*V_SF VL1:u16*V_SF
TotWhInjL1:u64*TotWh_SF TotWhAbsL1:u64*TotWh_SF TotVarhInjL1:u64*TotVarh_SF
TotVarhAbsL1:u64*TotVarh_SF WL2:i16*W_SF VAL2:i16*VA_SF VarL2:i16*Var_SF PFL2:i16*PF_SF AL2:i16*A_SF
VL2L3:u16*V_SF VL2:u16*V_SF TotWhInjL2:u64*TotWh_SF TotWhAbsL2:u64*TotWh_SF
TotVarhInjL2:u64*TotVarh_SF TotVarhAbsL2:u64*TotVarh_SF WL3:i16*W_SF VAL3:i16*VA_SF VarL3:i16*Var_SF
PFL3:i16*PF_SF AL3:i16*A_SF VL3L1:u16*V_SF VL3:u16*V_SF TotWhInjL3:u64*TotWh_SF
TotWhAbsL3:u64*TotWh_SF TotVarhInjL3:u64*TotVarh_SF TotVarhAbsL3:u64*TotVarh_SF ThrotPct:u16
ThrotSrc:b32 A_SF:f16=-1 V_SF:f16=-1 Hz_SF:f16=-2 W_SF:f16=2 PF_SF:f16=-3 VA_SF:f16=2 Var_SF:f16=2
TotWh_SF:f16=0 TotVarh_SF:f16=0 Tmp_SF:f16=-1 MnAlrmInfo:s32
""",
    702: """
WMaxRtg:u16*W_SF WOvrExtRtg:u16*W_SF WOvrExtRtgPF:u16*PF_SF WUndExtRtg:u16*W_SF
WUndExtRtgPF:u16*PF_SF VAMaxRtg:u16*VA_SF VarMaxInjRtg:u16*Var_SF VarMaxAbsRtg:u16*Var_SF
WChaRteMaxRtg:u16*W_SF WDisChaRteMaxRtg:u16*W_SF VAChaRteMaxRtg:u16*VA_SF
VADisChaRteMaxRtg:u16*VA_SF VNomRtg:u16*V_SF VMaxRtg:u16*V_SF VMinRtg:u16*V_SF AMaxRtg:u16*A_SF
PFOvrExtRtg:u16*PF_SF PFUndExtRtg:u16*PF_SF ReactSusceptRtg:u16*S_SF NorOpCatRtg:e16 AbnOpCatRtg:e16
CtrlModes:b32=3 IntIslandCatRtg:b16 WMax:u16*W_SF? WMaxOvrExt:u16*W_SF? WOvrExtPF:u16*PF_SF?
WMaxUndExt:u16*W_SF? WUndExtPF:u16*PF_SF? VAMax:u16*VA_SF? VarMaxInj:u16*Var_SF?
VarMaxAbs:u16*Var_SF? WChaRteMax:u16*W_SF? WDisChaRteMax:u16*W_SF? VAChaRteMax:u16*VA_SF?
VADisChaRteMax:u16*VA_SF? VNom:u16*V_SF? VMax:u16*V_SF? VMin:u16*V_SF? AMax:u16*A_SF?
PFOvrExt:u16*PF_SF? PFUndExt:u16*PF_SF? IntIslandCat:b16? W_SF:f16=2 PF_SF:f16=-3 VA_SF:f16=2
Var_SF:f16=2 V_SF:f16=-1 A_SF:f16=-1 S_SF:f16=0
""",
    704: """
PFWInjEna:e16? PFWInjEnaRvrt:e16? PFWInjRvrtTms:u32? PFWInjRvrtRem:u32 PFWAbsEna:e16?
PFWAbsEnaRvrt:e16? PFWAbsRvrtTms:u32? PFWAbsRvrtRem:u32 WMaxLimPctEna:e16!
WMaxLimPct:u16*WMaxLimPct_SF! WMaxLimPctRvrt:u16*WMaxLimPct_SF? WMaxLimPctEnaRvrt:e16?
WMaxLimPctRvrtTms:u32! WMaxLimPctRvrtRem:u32 WSetEna:e16! WSetMod:e16! WSet:i32*WSet_SF!
WSetRvrt:i32*WSet_SF? WSetPct:i16*WSetPct_SF! WSetPctRvrt:i16*WSetPct_SF? WSetEnaRvrt:e16=0?
WSetRvrtTms:u32! WSetRvrtRem:u32 VarSetEna:e16? VarSetMod:e16? VarSetPri:e16? VarSet:i32*VarSet_SF?
VarSetRvrt:i32*VarSet_SF? VarSetPct:i16*VarSetPct_SF? VarSetPctRvrt:i16*VarSetPct_SF?
VarSetEnaRvrt:e16? VarSetRvrtTms:u32? VarSetRvrtRem:u32 WRmp:u16? WRmpRef:e16? VarRmp:u16?
AntiIslEna:e16? PF_SF:f16=-3 WMaxLimPct_SF:f16=-2 WSet_SF:f16=0 WSetPct_SF:f16=-2 VarSet_SF:f16=0
VarSetPct_SF:f16=-2 PFWInj.PF:u16*PF_SF? PFWInj.Ext:e16? PFWInjRvrt.PF:u16*PF_SF?
PFWInjRvrt.Ext:e16? PFWAbs.PF:u16*PF_SF? PFWAbs.Ext:e16? PFWAbsRvrt.PF:u16*PF_SF?
PFWAbsRvrt.Ext:e16?
""",
    713: """
WHRtg:u16*WH_SF WHAvail:u16*WH_SF SoC:u16*Pct_SF SoH:u16*Pct_SF Sta:e16 WH_SF:f16=2 Pct_SF:f16=-1
""",
    715: """
LocRemCtl:e16 DERHb:u32 ControllerHb:u32! AlarmReset:u16? OpCtl:e16?
""",
    802: """
AHRtg:u16*AHRtg_SF WHRtg:u16*WHRtg_SF WChaRteMax:u16*WChaDisChaMax_SF
WDisChaRteMax:u16*WChaDisChaMax_SF DisChaRte:u16*DisChaRte_SF SoCMax:u16*SoC_SF SoCMin:u16*SoC_SF
SocRsvMax:u16*SoC_SF? SoCRsvMin:u16*SoC_SF? SoC:u16*SoC_SF DoD:u16*DoD_SF SoH:u16*SoH_SF NCyc:u32
ChaSt:e16 LocRemCtl:e16 Hb:u16 CtrlHb:u16? AlmRst:u16? Typ:e16=4 State:e16 StateVnd:e16 WarrDt:u32
Evt1:b32 Evt2:b32=0 EvtVnd1:b32 EvtVnd2:b32 V:u16*V_SF VMax:u16*V_SF VMin:u16*V_SF
CellVMax:u16*CellV_SF CellVMaxStr:u16 CellVMaxMod:u16 CellVMin:u16*CellV_SF CellVMinStr:u16
CellVMinMod:u16 CellVAvg:u16*CellV_SF A:i16*A_SF AChaMax:u16*AMax_SF ADisChaMax:u16*AMax_SF
W:i16*W_SF ReqInvState:e16 ReqW:i16*W_SF SetOp:e16? SetInvState:e16? AHRtg_SF:f16=0 WHRtg_SF:f16=2
WChaDisChaMax_SF:f16=2 DisChaRte_SF:f16=-1 SoC_SF:f16=-1 DoD_SF:f16=-1 SoH_SF:f16=-1 V_SF:f16=-1
CellV_SF:f16=-3 A_SF:f16=-1 AMax_SF:f16=-1 W_SF:f16=2
""",
}
