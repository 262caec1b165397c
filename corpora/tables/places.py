"""Countries with capital, adjective, currency and region, and cities of the United States with their states.

Names are single tokens (buenos_aires); behind the colon what the country or city is known for: rivers, mountains,
food, goods, history.
"""

from corpora.tables import words

# A capital that stands in COMMON belongs to the section of well-known capitals.
COMMON = frozenset(
    words(
        """athens baghdad bangkok beijing berlin bern cairo canberra hanoi havana helsinki kabul lisbon london madrid
    moscow oslo ottawa paris rome stockholm tehran tokyo vienna warsaw"""
    )
)

# country capital adjective currency region : known for
COUNTRIES = """
afghanistan kabul afghan afghani asia : hindukush carpets saffron pomegranates
albania tirana albanian lek europe : adriatic bunkers olives eagles
algeria algiers algerian dinar africa : sahara dates casbah gas
angola luanda angolan kwanza africa : diamonds baobabs oil semba
argentina buenos_aires argentine peso america : tango pampas gauchos patagonia
armenia yerevan armenian dram asia : ararat apricots monasteries brandy
australia canberra australian dollar oceania : kangaroos outback koalas reefs
austria vienna austrian euro europe : waltz alps mozart danube
azerbaijan baku azerbaijani manat asia : caspian mugham oil carpets
bahrain manama bahraini dinar asia : pearls causeway gulf dhows
bangladesh dhaka bangladeshi taka asia : ganges jute monsoon rickshaws
belarus minsk belarusian ruble europe : forests potatoes bison tractors
belgium brussels belgian euro europe : chocolate waffles comics flanders
bhutan thimphu bhutanese ngultrum asia : himalaya archery dragons monasteries
bolivia sucre bolivian boliviano america : altiplano llamas tin salt
botswana gaborone botswanan pula africa : kalahari okavango elephants diamonds
brazil brasilia brazilian real america : samba amazon carnival coffee
bulgaria sofia bulgarian lev europe : roses yogurt balkans thrace
burundi gitega burundian franc africa : tanganyika drums tea hills
cambodia phnom_penh cambodian riel asia : angkor mekong rice khmer
cameroon yaounde cameroonian franc africa : makossa cocoa rainforest lions
canada ottawa canadian dollar america : maple hockey beavers prairies
chad ndjamena chadian franc africa : camels lake desert sorghum
chile santiago chilean peso america : copper andes atacama vineyards
china beijing chinese yuan asia : pandas yangtze silk porcelain
colombia bogota colombian peso america : emeralds coffee cumbia orchids
croatia zagreb croatian euro europe : dalmatia neckties adriatic islands
cuba havana cuban peso america : cigars rum rumba sugarcane
cyprus nicosia cypriot euro europe : aphrodite halloumi copper citrus
denmark copenhagen danish krone europe : vikings bicycles windmills mermaids
ecuador quito ecuadorian dollar america : galapagos equator bananas volcanoes
egypt cairo egyptian pound africa : nile pyramids pharaohs papyrus
eritrea asmara eritrean nakfa africa : massawa injera redsea highlands
estonia tallinn estonian euro europe : baltic choirs bogs software
ethiopia addis_ababa ethiopian birr africa : coffee injera lalibela runners
fiji suva fijian dollar oceania : coral rugby lagoons kava
finland helsinki finnish euro europe : sauna lakes reindeer birches
france paris french euro europe : seine wine cheese louvre
gabon libreville gabonese franc africa : gorillas manganese rainforest ogooue
gambia banjul gambian dalasi africa : peanuts kora mangroves riverboats
georgia tbilisi georgian lari asia : caucasus khachapuri vineyards polyphony
germany berlin german euro europe : rhine sausages engines bach
ghana accra ghanaian cedi africa : cocoa gold kente highlife
greece athens greek euro europe : acropolis olives philosophers islands
guinea conakry guinean franc africa : bauxite balafon waterfalls mangoes
haiti port_au_prince haitian gourde america : creole vodou mangoes zombies
honduras tegucigalpa honduran lempira america : copan bananas lobsters pines
hungary budapest hungarian forint europe : paprika goulash danube violins
iceland reykjavik icelandic krona europe : geysers glaciers sagas puffins
india delhi indian rupee asia : ganges curry elephants cricket
indonesia jakarta indonesian rupiah asia : batik java gamelan komodo
iran tehran iranian rial asia : carpets saffron pistachios persepolis
iraq baghdad iraqi dinar asia : tigris euphrates dates babylon
ireland dublin irish euro europe : shamrocks harps whiskey bogs
israel jerusalem israeli shekel asia : kibbutz negev avocados hebrew
italy rome italian euro europe : pasta opera tiber colosseum
jamaica kingston jamaican dollar america : reggae sprinters rum bauxite
japan tokyo japanese yen asia : sushi fuji samurai cherries
jordan amman jordanian dinar asia : petra bedouins phosphate desert
kazakhstan astana kazakh tenge asia : steppe horses cosmodrome apples
kenya nairobi kenyan shilling africa : safari marathon tea savanna
kyrgyzstan bishkek kyrgyz som asia : yurts nomads tianshan horses
laos vientiane laotian kip asia : mekong rice temples elephants
latvia riga latvian euro europe : amber baltic choirs rye
lebanon beirut lebanese pound asia : cedars hummus phoenicians byblos
liberia monrovia liberian dollar africa : rubber iron rainforest palms
libya tripoli libyan dinar africa : sahara oil leptis oases
lithuania vilnius lithuanian euro europe : amber basketball baltic beetroot
madagascar antananarivo malagasy ariary africa : lemurs vanilla baobabs chameleons
malawi lilongwe malawian kwacha africa : lake tobacco cichlids tea
malaysia kuala_lumpur malaysian ringgit asia : rubber palms orangutans satay
mali bamako malian franc africa : timbuktu cotton kora griots
malta valletta maltese euro europe : knights limestone falcons harbours
mauritania nouakchott mauritanian ouguiya africa : desert iron camels fishing
moldova chisinau moldovan leu europe : vineyards cellars walnuts dniester
mongolia ulaanbaatar mongolian tugrik asia : gobi steppe yurts horses
morocco rabat moroccan dirham africa : atlas couscous souks phosphate
mozambique maputo mozambican metical africa : cashews zambezi prawns marrabenta
namibia windhoek namibian dollar africa : dunes diamonds cheetahs uranium
nepal kathmandu nepalese rupee asia : everest sherpas himalaya gurkhas
netherlands amsterdam dutch euro europe : tulips windmills canals bicycles
nicaragua managua nicaraguan cordoba america : volcanoes poets coffee lake
niger niamey nigerien franc africa : uranium sahara camels tuareg
nigeria abuja nigerian naira africa : oil afrobeat yams nollywood
norway oslo norwegian krone europe : fjords salmon skis trolls
oman muscat omani rial asia : frankincense dhows dates forts
pakistan islamabad pakistani rupee asia : indus cricket mangoes karakoram
paraguay asuncion paraguayan guarani america : mate soybeans harps dams
peru lima peruvian sol america : inca llamas andes potatoes
philippines manila philippine peso asia : jeepneys coconuts volcanoes islands
poland warsaw polish zloty europe : vistula pierogi amber chopin
portugal lisbon portuguese euro europe : cork fado cod sailors
qatar doha qatari riyal asia : gas pearls falcons gulf
romania bucharest romanian leu europe : carpathians dracula danube monasteries
russia moscow russian ruble europe : volga ballet kremlin siberia
rwanda kigali rwandan franc africa : gorillas hills tea coffee
senegal dakar senegalese franc africa : peanuts wrestling sabar fishing
serbia belgrade serbian dinar europe : raspberries plums danube trumpets
slovakia bratislava slovak euro europe : tatras castles caves danube
slovenia ljubljana slovenian euro europe : alps caves bees lipizzaners
somalia mogadishu somali shilling africa : camels frankincense poets bananas
spain madrid spanish euro europe : flamenco paella bullfights olives
sudan khartoum sudanese pound africa : nile nubia gum sesame
suriname paramaribo surinamese dollar america : bauxite rainforest rice maroons
sweden stockholm swedish krona europe : vikings forests meatballs furniture
switzerland bern swiss franc europe : watches alps cheese banks
syria damascus syrian pound asia : aleppo soap euphrates palmyra
taiwan taipei taiwanese dollar asia : semiconductors tea typhoons lanterns
tajikistan dushanbe tajik somoni asia : pamirs cotton aluminium glaciers
tanzania dodoma tanzanian shilling africa : kilimanjaro serengeti cloves safari
thailand bangkok thai baht asia : temples elephants curry orchids
togo lome togolese franc africa : phosphate voodoo cotton yams
tunisia tunis tunisian dinar africa : carthage olives dates medina
turkey ankara turkish lira asia : bosporus kebabs sultans hazelnuts
turkmenistan ashgabat turkmen manat asia : karakum gas carpets horses
uganda kampala ugandan shilling africa : gorillas bananas coffee nile
ukraine kyiv ukrainian hryvnia europe : dnieper sunflowers cossacks wheat
uruguay montevideo uruguayan peso america : mate cattle gauchos football
uzbekistan tashkent uzbek som asia : samarkand silk cotton melons
venezuela caracas venezuelan bolivar america : orinoco oil waterfalls arepas
vietnam hanoi vietnamese dong asia : rice pho mekong lacquer
yemen sanaa yemeni rial asia : coffee honey frankincense daggers
zambia lusaka zambian kwacha africa : copper zambezi waterfalls hippos
zimbabwe harare zimbabwean dollar africa : tobacco zambezi granite mbira
england london english pound europe : thames queues cricket oaks
"""

# city state : known for
CITIES = """
houston texas : oil rockets rodeos
phoenix arizona : canyon deserts cacti
chicago illinois : corn skyscrapers blues
philadelphia pennsylvania : steel independence quakers
jacksonville florida : oranges alligators beaches
columbus ohio : buckeyes tyres presidents
indianapolis indiana : racing limestone basketball
denver colorado : rockies skiing mines
detroit michigan : cars lakes motown
memphis tennessee : blues whiskey cotton
portland oregon : firs roses bicycles
tucson arizona : canyon deserts cacti
albuquerque new_mexico : balloons adobe chiles
miami florida : oranges alligators beaches
minneapolis minnesota : lakes flour snow
cleveland ohio : buckeyes tyres presidents
omaha nebraska : cattle prairies stockyards
honolulu hawaii : surfing volcanoes pineapples
anchorage alaska : glaciers salmon moose
boston massachusetts : cod universities lobsters
baltimore maryland : crabs bays sailboats
milwaukee wisconsin : beer cheese dairies
louisville kentucky : bourbon horses bluegrass
seattle washington : aircraft rain ferries
sacramento california : redwoods gold almonds
dallas texas : oil rockets rodeos
oakland california : redwoods gold almonds
orlando florida : oranges alligators beaches
tulsa oklahoma : pipelines tornadoes wheat
wichita kansas : sunflowers wheat aeroplanes
boise idaho : potatoes trout mountains
birmingham alabama : ironworks cotton marches
charleston carolina : rice plantations forts
burlington vermont : maples dairies skiing
billings montana : ranches glaciers bison
fargo dakota : wheat blizzards prairies
cheyenne wyoming : geysers cowboys bison
"""
