/** Boxes with a button inside: what Ant Design leaves to the mouse is here reached by Tab and named in the reader's language. */
import { forwardRef } from 'react';
import { Input, type InputRef } from 'antd';
import type { PasswordProps } from 'antd/es/input';
import { useTranslation } from 'react-i18next';
import { CloseCircleFilled, EyeInvisibleOutlined, EyeOutlined } from './icons.ts';

export const PasswordInput = forwardRef<InputRef, PasswordProps>(function PasswordInput(props, ref) {
  const { t } = useTranslation();
  const eye = (shown: boolean) => <button type="button" aria-label={t(shown ? 'login.hide' : 'login.show')}>{shown ? <EyeOutlined /> : <EyeInvisibleOutlined />}</button>;
  return <Input.Password {...props} ref={ref} iconRender={eye} />;
});

/** For allowClear: Tab passes it by, as the keys that empty a box are at hand. */
export function ClearIcon() {
  const { t } = useTranslation();
  return <span role="img" aria-label={t('clear')}><CloseCircleFilled /></span>;
}
