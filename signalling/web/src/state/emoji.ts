/** Emoji by the short names that Mattermost uses, as far as people write them often. */

const NAMES = `grinning 😀,smiley 😃,smile 😄,grin 😁,laughing 😆,satisfied 😆,sweat_smile 😅,rolling_on_the_floor_laughing 🤣,rofl 🤣,joy 😂,
slightly_smiling_face 🙂,upside_down_face 🙃,wink 😉,blush 😊,innocent 😇,heart_eyes 😍,star_struck 🤩,kissing_heart 😘,kissing 😗,yum 😋,
stuck_out_tongue 😛,stuck_out_tongue_winking_eye 😜,zany_face 🤪,money_mouth_face 🤑,hugs 🤗,hugging_face 🤗,thinking 🤔,thinking_face 🤔,zipper_mouth_face 🤐,
neutral_face 😐,expressionless 😑,no_mouth 😶,smirk 😏,unamused 😒,roll_eyes 🙄,grimacing 😬,relieved 😌,pensive 😔,sleepy 😪,drooling_face 🤤,sleeping 😴,
mask 😷,face_with_thermometer 🤒,nauseated_face 🤢,sneezing_face 🤧,hot_face 🥵,cold_face 🥶,dizzy_face 😵,exploding_head 🤯,cowboy_hat_face 🤠,partying_face 🥳,
sunglasses 😎,nerd_face 🤓,confused 😕,worried 😟,slightly_frowning_face 🙁,open_mouth 😮,hushed 😯,astonished 😲,flushed 😳,pleading_face 🥺,
fearful 😨,cold_sweat 😰,cry 😢,sob 😭,scream 😱,disappointed 😞,sweat 😓,weary 😩,tired_face 😫,yawning_face 🥱,triumph 😤,rage 😡,angry 😠,skull 💀,
poop 💩,clown_face 🤡,ghost 👻,alien 👽,robot 🤖,robot_face 🤖,see_no_evil 🙈,hear_no_evil 🙉,speak_no_evil 🙊,
heart ❤️,orange_heart 🧡,yellow_heart 💛,green_heart 💚,blue_heart 💙,purple_heart 💜,black_heart 🖤,broken_heart 💔,two_hearts 💕,sparkling_heart 💖,
100 💯,boom 💥,collision 💥,dizzy 💫,sweat_drops 💦,dash 💨,zzz 💤,speech_balloon 💬,thought_balloon 💭,
wave 👋,raised_back_of_hand 🤚,raised_hand ✋,hand ✋,vulcan_salute 🖖,ok_hand 👌,pinching_hand 🤏,v ✌️,crossed_fingers 🤞,metal 🤘,call_me_hand 🤙,
point_left 👈,point_right 👉,point_up_2 👆,point_down 👇,point_up ☝️,+1 👍,thumbsup 👍,-1 👎,thumbsdown 👎,fist ✊,facepunch 👊,punch 👊,clap 👏,raised_hands 🙌,
open_hands 👐,handshake 🤝,pray 🙏,writing_hand ✍️,muscle 💪,eyes 👀,eye 👁️,brain 🧠,ear 👂,
shrug 🤷,facepalm 🤦,raising_hand 🙋,bow 🙇,technologist 🧑‍💻,detective 🕵️,construction_worker 👷,
dog 🐶,cat 🐱,mouse 🐭,rabbit 🐰,fox_face 🦊,bear 🐻,panda_face 🐼,koala 🐨,lion 🦁,cow 🐮,pig 🐷,frog 🐸,monkey 🐒,chicken 🐔,penguin 🐧,bird 🐦,owl 🦉,horse 🐴,unicorn 🦄,bee 🐝,bug 🐛,butterfly 🦋,snail 🐌,turtle 🐢,snake 🐍,octopus 🐙,fish 🐟,dolphin 🐬,whale 🐳,crab 🦀,
tree 🌳,deciduous_tree 🌳,evergreen_tree 🌲,palm_tree 🌴,cactus 🌵,seedling 🌱,four_leaf_clover 🍀,maple_leaf 🍁,rose 🌹,tulip 🌷,sunflower 🌻,bouquet 💐,mushroom 🍄,
apple 🍎,banana 🍌,watermelon 🍉,grapes 🍇,strawberry 🍓,lemon 🍋,avocado 🥑,bread 🍞,cheese 🧀,egg 🥚,hamburger 🍔,fries 🍟,pizza 🍕,taco 🌮,sushi 🍣,cake 🍰,birthday 🎂,cookie 🍪,doughnut 🍩,chocolate_bar 🍫,popcorn 🍿,coffee ☕,tea 🍵,beer 🍺,beers 🍻,wine_glass 🍷,champagne 🍾,clinking_glasses 🥂,
car 🚗,bus 🚌,bike 🚲,train 🚆,airplane ✈️,rocket 🚀,ship 🚢,house 🏠,office 🏢,school 🏫,hospital 🏥,
sunny ☀️,cloud ☁️,rain_cloud 🌧️,snowflake ❄️,snowman ⛄,zap ⚡,fire 🔥,rainbow 🌈,star ⭐,star2 🌟,sparkles ✨,crescent_moon 🌙,earth_africa 🌍,ocean 🌊,umbrella ☔,
soccer ⚽,basketball 🏀,tennis 🎾,trophy 🏆,medal_sports 🏅,first_place_medal 🥇,dart 🎯,game_die 🎲,video_game 🎮,guitar 🎸,musical_note 🎵,notes 🎶,art 🎨,clapper 🎬,microphone 🎤,headphones 🎧,
tada 🎉,confetti_ball 🎊,balloon 🎈,gift 🎁,christmas_tree 🎄,jack_o_lantern 🎃,ribbon 🎀,crown 👑,gem 💎,
watch ⌚,iphone 📱,computer 💻,keyboard ⌨️,desktop_computer 🖥️,printer 🖨️,floppy_disk 💾,camera 📷,tv 📺,battery 🔋,bulb 💡,flashlight 🔦,electric_plug 🔌,satellite 🛰️,
book 📖,books 📚,newspaper 📰,memo 📝,pencil ✏️,pencil2 ✏️,pushpin 📌,round_pushpin 📍,paperclip 📎,link 🔗,scissors ✂️,clipboard 📋,calendar 📅,date 📅,chart_with_upwards_trend 📈,chart_with_downwards_trend 📉,bar_chart 📊,file_folder 📁,wastebasket 🗑️,
mailbox 📫,email 📧,envelope ✉️,inbox_tray 📥,outbox_tray 📤,package 📦,label 🏷️,mag 🔍,bell 🔔,no_bell 🔕,mega 📣,loudspeaker 📢,
lock 🔒,unlock 🔓,key 🔑,hammer 🔨,wrench 🔧,hammer_and_wrench 🛠️,gear ⚙️,toolbox 🧰,magnet 🧲,test_tube 🧪,microscope 🔬,telescope 🔭,shield 🛡️,bomb 💣,
moneybag 💰,dollar 💵,euro 💶,credit_card 💳,hourglass ⌛,hourglass_flowing_sand ⏳,alarm_clock ⏰,stopwatch ⏱️,
white_check_mark ✅,heavy_check_mark ✔️,ballot_box_with_check ☑️,x ❌,negative_squared_cross_mark ❎,warning ⚠️,no_entry ⛔,no_entry_sign 🚫,exclamation ❗,heavy_exclamation_mark ❗,question ❓,grey_question ❔,bangbang ‼️,interrobang ⁉️,
recycle ♻️,infinity ♾️,copyright ©️,registered ®️,tm ™️,information_source ℹ️,sos 🆘,new 🆕,ok 🆗,up 🆙,cool 🆒,free 🆓,
red_circle 🔴,large_blue_circle 🔵,white_circle ⚪,black_circle ⚫,green_circle 🟢,yellow_circle 🟡,
arrow_up ⬆️,arrow_down ⬇️,arrow_left ⬅️,arrow_right ➡️,arrows_counterclockwise 🔄,arrow_forward ▶️,pause_button ⏸️,fast_forward ⏩,
one 1️⃣,two 2️⃣,three 3️⃣,four 4️⃣,five 5️⃣,checkered_flag 🏁,triangular_flag_on_post 🚩,white_flag 🏳️,rainbow_flag 🏳️‍🌈`;

const byName = new Map(NAMES.split(/,\s*/).map((entry) => {
    const gap = entry.indexOf(' ');
    return [entry.slice(0, gap), entry.slice(gap + 1)] as const;
}));

const regions = new Intl.DisplayNames('en', {type: 'region', fallback: 'none'});
/** To the sign of a letter from its place in ASCII. */
const TO_SIGN = 0x1f1e6 - 0x61;

/** Undefined when there is none of that name. */
export function emojiNamed(name: string): string | undefined {
    const plain = name.toLowerCase();
    return byName.get(plain) ?? flagNamed(plain);
}

/** `flag-de`: of every country and territory, by its two letters. */
function flagNamed(name: string): string | undefined {
    const code = /^flag-([a-z]{2})$/.exec(name)?.[1];
    return code && regions.of(code.toUpperCase()) ? String.fromCodePoint(...[...code].map((letter) => letter.charCodeAt(0) + TO_SIGN)) : undefined;
}

/** Those whose name has `term` in it, the ones that begin with it first, the short before the long. */
export function emojiMatching(term: string, limit: number): {name: string; emoji: string}[] {
    const wanted = term.toLowerCase();
    const found = [...byName].filter(([name]) => name.includes(wanted));
    const flag = flagNamed(wanted);
    if (flag) {
        found.push([wanted, flag]);
    }
    found.sort(([a], [b]) => Number(b.startsWith(wanted)) - Number(a.startsWith(wanted)) || a.length - b.length);
    return found.slice(0, limit).map(([name, emoji]) => ({name, emoji}));
}
