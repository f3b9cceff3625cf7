/** What the server refuses to the dialogs and to nobody else, in our words: `rest.ts` has the rest. */
import type {Key} from '../words/words';

export const LATER_REFUSALS: Readonly<Record<string, Key>> = {
    'model.user.is_valid.name.app_error': 'people_why_name',
    'store.sql_channel.save_channel.exists.app_error': 'people_why_channel_exists',
    'model.channel.is_valid.display_name.app_error': 'people_why_channel_name',
    'model.channel.is_valid.1_or_more.app_error': 'people_why_channel_name',
    'model.channel.is_valid.header.app_error': 'people_why_topic',
    'api.channel.add_user.not_in_team.app_error': 'people_why_not_in_team',
    'api.channel.create_group.bad_size.app_error': 'people_why_group_size',
    'api.channel.remove.default.app_error': 'people_why_default',
    'api.channel.delete_channel.cannot.app_error': 'people_why_default',
    'app.user.last_admin.app_error': 'admin_why_last',
};
