/**
 * The icons of the screens. Beside words they say nothing of their own: by themselves they would be read out under their
 * English names, in the middle of a button's Chinese one.
 */
import { createElement, type ComponentType } from 'react';
import {
  AlertFilled as AlertSolid, AlertOutlined as Alert, AuditOutlined as Audit, BarChartOutlined as BarChart,
  CloseCircleFilled as CloseCircleSolid, CloseOutlined as Close, DashboardOutlined as Dashboard, DeleteOutlined as Delete,
  DownloadOutlined as Download, EyeInvisibleOutlined as EyeInvisible, EyeOutlined as Eye, FontSizeOutlined as FontSize,
  GlobalOutlined as Global, ImportOutlined as Import, InboxOutlined as Inbox, LeftOutlined as Left, LockOutlined as Lock,
  MenuFoldOutlined as MenuFold, MenuUnfoldOutlined as MenuUnfold, PlusOutlined as Plus, PrinterOutlined as Printer,
  QuestionCircleOutlined as QuestionCircle, RedoOutlined as Redo, SafetyCertificateOutlined as SafetyCertificate, SafetyOutlined as Safety,
  SearchOutlined as Search, SolutionOutlined as Solution, SoundOutlined as Sound, TeamOutlined as Team,
  UnorderedListOutlined as UnorderedList, UploadOutlined as Upload, UserAddOutlined as UserAdd, UserOutlined as User,
} from '@ant-design/icons';

type Icon = ComponentType<{ className?: string; onClick?: () => void }>;

function quiet(icon: ComponentType<Record<string, unknown>>): Icon {
  return (props) => createElement(icon, { ...props, 'aria-hidden': true, 'aria-label': undefined, role: undefined });
}

export const AlertFilled = /* @__PURE__ */ quiet(AlertSolid);
export const AlertOutlined = /* @__PURE__ */ quiet(Alert);
export const AuditOutlined = /* @__PURE__ */ quiet(Audit);
export const BarChartOutlined = /* @__PURE__ */ quiet(BarChart);
export const CloseCircleFilled = /* @__PURE__ */ quiet(CloseCircleSolid);
export const CloseOutlined = /* @__PURE__ */ quiet(Close);
export const DashboardOutlined = /* @__PURE__ */ quiet(Dashboard);
export const DeleteOutlined = /* @__PURE__ */ quiet(Delete);
export const DownloadOutlined = /* @__PURE__ */ quiet(Download);
export const EyeInvisibleOutlined = /* @__PURE__ */ quiet(EyeInvisible);
export const EyeOutlined = /* @__PURE__ */ quiet(Eye);
export const FontSizeOutlined = /* @__PURE__ */ quiet(FontSize);
export const GlobalOutlined = /* @__PURE__ */ quiet(Global);
export const ImportOutlined = /* @__PURE__ */ quiet(Import);
export const InboxOutlined = /* @__PURE__ */ quiet(Inbox);
export const LeftOutlined = /* @__PURE__ */ quiet(Left);
export const LockOutlined = /* @__PURE__ */ quiet(Lock);
export const MenuFoldOutlined = /* @__PURE__ */ quiet(MenuFold);
export const MenuUnfoldOutlined = /* @__PURE__ */ quiet(MenuUnfold);
export const PlusOutlined = /* @__PURE__ */ quiet(Plus);
export const PrinterOutlined = /* @__PURE__ */ quiet(Printer);
export const QuestionCircleOutlined = /* @__PURE__ */ quiet(QuestionCircle);
export const RedoOutlined = /* @__PURE__ */ quiet(Redo);
export const SafetyCertificateOutlined = /* @__PURE__ */ quiet(SafetyCertificate);
export const SafetyOutlined = /* @__PURE__ */ quiet(Safety);
export const SearchOutlined = /* @__PURE__ */ quiet(Search);
export const SolutionOutlined = /* @__PURE__ */ quiet(Solution);
export const SoundOutlined = /* @__PURE__ */ quiet(Sound);
export const TeamOutlined = /* @__PURE__ */ quiet(Team);
export const UnorderedListOutlined = /* @__PURE__ */ quiet(UnorderedList);
export const UploadOutlined = /* @__PURE__ */ quiet(Upload);
export const UserAddOutlined = /* @__PURE__ */ quiet(UserAdd);
export const UserOutlined = /* @__PURE__ */ quiet(User);
