"""Word forms of English: adjectives, adverbs, opposites, verbs, nouns, and words for men and women.

Behind the colon stand words that go with all forms of a row, so that the row has a meaning of its own.
"""

# adjective comparative superlative : things that are so
COMPARISONS = """
bad worse worst : weather luck smell harvest
big bigger biggest : house elephant truck stadium
bright brighter brightest : lamp star candle lightning
cheap cheaper cheapest : ticket shirt sandwich pencil
clean cleaner cleanest : kitchen towel sink plate
cold colder coldest : winter snow ice fridge
cool cooler coolest : breeze shade cellar evening
dark darker darkest : night tunnel cave forest
deep deeper deepest : ocean well lake trench
dry drier driest : desert sand hay towel
easy easier easiest : exercise puzzle lesson recipe
fast faster fastest : car horse runner rocket
fresh fresher freshest : bread fruit fish salad
good better best : friend meal book teacher
great greater greatest : king poet empire victory
happy happier happiest : child bride birthday puppy
hard harder hardest : stone steel diamond exam
heavy heavier heaviest : anvil suitcase truck stone
high higher highest : mountain tower cloud wall
hot hotter hottest : oven summer pepper fire
large larger largest : city whale continent crowd
light lighter lightest : feather balloon foam leaf
long longer longest : river rope journey snake
loud louder loudest : drum siren thunder engine
low lower lowest : fence tide shelf valley
narrow narrower narrowest : alley bridge lane gate
new newer newest : phone model edition coat
old older oldest : ruin castle grandfather coin
poor poorer poorest : beggar village farmer widow
quick quicker quickest : reply runner rabbit glance
quiet quieter quietest : library cat whisper lane
rich richer richest : banker merchant prince gold
safe safer safest : harbour helmet vault seat
sharp sharper sharpest : knife razor thorn needle
short shorter shortest : sentence stick day visit
simple simpler simplest : recipe tool rule machine
slow slower slowest : snail turtle queue cart
small smaller smallest : mouse coin button ant
smart smarter smartest : student fox inventor dolphin
soft softer softest : pillow wool cushion butter
strange stranger strangest : dream story noise visitor
strong stronger strongest : ox wrestler rope coffee
sweet sweeter sweetest : honey cake melon candy
tall taller tallest : giraffe tree tower skyscraper
thick thicker thickest : soup fog blanket wall
tough tougher toughest : leather boxer steak problem
warm warmer warmest : coat stove blanket soup
weak weaker weakest : signal tea patient branch
wide wider widest : road river field screen
young younger youngest : puppy pupil actor princess
"""

# adjective adverb : what is done so, and by whom
ADVERBS = """
amazing amazingly : acrobat magician trick circus
apparent apparently : mistake reason witness clue
calm calmly : pilot sailor voice sea
careful carefully : driver surgeon nurse cook
cheerful cheerfully : postman song whistle host
complete completely : victory repair collection failure
efficient efficiently : factory engine clerk pump
fortunate fortunately : gambler rescue survivor escape
free freely : bird press prisoner speech
furious furiously : bull crowd boss storm
immediate immediately : answer alarm ambulance order
most mostly : cloud vegetarian crop audience
obvious obviously : lie error fake answer
occasional occasionally : guest shower customer storm
patient patiently : fisherman teacher angler queue
possible possibly : murderer winner cause route
precise precisely : clock watchmaker measurement laser
proud proudly : parent soldier flag winner
rare rarely : stamp orchid eclipse tiger
serious seriously : doctor judge injury accident
sudden suddenly : storm noise stop explosion
swift swiftly : swallow arrow deer messenger
typical typically : tourist breakfast monday office
usual usually : train lunch routine walk
"""

# adjective opposite : things that are so, or not
OPPOSITES = """
acceptable unacceptable : offer behaviour price terms
aware unaware : driver danger guard risk
certain uncertain : future result outcome date
clear unclear : sign message photo handwriting
comfortable uncomfortable : chair shoes bed saddle
competitive uncompetitive : salary market team industry
consistent inconsistent : theory witness results style
convincing unconvincing : argument actor excuse alibi
convenient inconvenient : bus hour station shop
decided undecided : voter jury election vote
efficient inefficient : factory engine clerk pump
ethical unethical : experiment lawyer company business
fortunate unfortunate : gambler rescue survivor escape
honest dishonest : salesman politician confession dealer
informed uninformed : reader patient citizen choice
known unknown : author planet species grave
likely unlikely : winner rain story ending
logical illogical : proof detective argument robot
pleasant unpleasant : smell holiday neighbour walk
possible impossible : task dream mission climb
productive unproductive : meeting worker field farm
rational irrational : fear number decision investor
reasonable unreasonable : demand price landlord rent
responsible irresponsible : parent captain babysitter owner
sure unsure : student bride footing step
tasteful distasteful : joke wallpaper dress decoration
"""

# verb participle past third_person : what it is done with
VERBS = """
bake baking baked bakes : bread cake oven pie
build building built builds : house bridge bricks wall
buy buying bought buys : ticket shop bargain groceries
carry carrying carried carries : bag suitcase basket load
catch catching caught catches : ball fish thief net
climb climbing climbed climbs : ladder mountain tree cliff
cook cooking cooked cooks : dinner soup kitchen rice
count counting counted counts : coins sheep votes money
dance dancing danced dances : tango waltz ballroom partner
decrease decreasing decreased decreases : price pressure tax speed
describe describing described describes : picture suspect scene feeling
draw drawing drew draws : picture pencil map sketch
drink drinking drank drinks : water coffee juice tea
drive driving drove drives : car truck bus taxi
eat eating ate eats : apple lunch sandwich cheese
fall falling fell falls : stairs leaf snow cliff
feed feeding fed feeds : chickens baby ducks cattle
find finding found finds : key treasure clue wallet
fly flying flew flies : kite plane airport helicopter
generate generating generated generates : electricity turbine power heat
give giving gave gives : gift present advice flowers
go going went goes : church school market home
grow growing grew grows : tomatoes garden wheat beard
hide hiding hid hides : treasure key secret cupboard
hit hitting hit hits : nail ball target drum
implement implementing implemented implements : plan reform program policy
increase increasing increased increases : price salary tax profit
jump jumping jumped jumps : fence rope puddle trampoline
know knowing knew knows : answer secret name poem
listen listening listened listens : radio music lecture teacher
look looking looked looks : window mirror painting telescope
move moving moved moves : piano furniture sofa chess
paint painting painted paints : portrait brush fence canvas
play playing played plays : football guitar chess violin
predict predicting predicted predicts : weather eclipse election earthquake
read reading read reads : book newspaper novel letter
ride riding rode rides : horse bicycle camel saddle
run running ran runs : marathon race track stadium
say saying said says : word prayer goodbye truth
scream screaming screamed screams : ghost spider nightmare rollercoaster
see seeing saw sees : movie eclipse doctor rainbow
sell selling sold sells : car house vegetables furniture
shuffle shuffling shuffled shuffles : cards papers feet deck
sing singing sang sings : song choir opera hymn
sit sitting sat sits : chair bench sofa throne
sleep sleeping slept sleeps : bed pillow tent hammock
slow slowing slowed slows : traffic train growth pace
speak speaking spoke speaks : language microphone audience dialect
spend spending spent spends : money holiday fortune weekend
steal stealing stole steals : jewels wallet bicycle painting
swim swimming swam swims : pool river lake dolphin
take taking took takes : photo medicine umbrella taxi
teach teaching taught teaches : pupil school lesson grammar
think thinking thought thinks : problem idea philosophy riddle
throw throwing threw throws : ball javelin stone frisbee
vanish vanishing vanished vanishes : ghost magician rabbit fog
walk walking walked walks : dog park beach path
wash washing washed washes : dishes laundry car soap
work working worked works : office factory farm mine
write writing wrote writes : letter novel diary pen
"""

# singular plural : what it is like, where it is
NOUNS = """
banana bananas : yellow ripe peeled sweet
bird birds : feathered singing nesting winged
bottle bottles : glass corked empty green
building buildings : brick concrete modern tall
car cars : parked electric fast rusty
cat cats : furry purring striped lazy
child children : playful young noisy shy
cloud clouds : gray fluffy white stormy
color colors : bright pastel primary faded
computer computers : portable powerful personal digital
cow cows : spotted grazing milked brown
dog dogs : barking loyal furry hungry
dollar dollars : borrowed saved paper crumpled
donkey donkeys : stubborn braying grey loaded
dream dreams : vivid strange recurring feverish
eagle eagles : soaring bald winged golden
elephant elephants : enormous gray trunked african
eye eyes : blue blinking tired brown
finger fingers : slender pointing cold nimble
goat goats : bearded bleating mountain horned
hand hands : clean gloved waving cold
horse horses : galloping brown saddled racing
house houses : wooden painted brick haunted
knife knives : sharp rusty steel folding
lion lions : roaring maned african hungry
machine machines : noisy oiled electric washing
man men : bearded bald tall elderly
mango mangoes : juicy ripe tropical sweet
melon melons : juicy round seedless striped
monkey monkeys : chattering swinging clever brown
mouse mice : tiny squeaking gray nibbling
onion onions : chopped fried peeled red
pear pears : juicy green ripe soft
pig pigs : pink muddy grunting fat
pineapple pineapples : prickly tropical canned sliced
rat rats : sewer gray nibbling hungry
road roads : paved dusty winding narrow
snake snakes : poisonous slithering striped coiled
tooth teeth : white decayed sharp loose
tree trees : leafy green planted fallen
woman women : elegant elderly pregnant tall
wolf wolves : howling gray wild hungry
"""

# man woman : what goes with both
FAMILY = """
actor actress : film stage script oscar
boy girl : toys school playground doll
brother sister : siblings twin bedroom quarrel
dad mom : breakfast kids bedtime hug
emperor empress : empire dynasty palace court
father mother : baby parents daughter cradle
gentleman lady : manners elegant ballroom carriage
god goddess : temple worship statue myth
grandfather grandmother : grandchildren fireplace wrinkles stories
grandpa grandma : cookies armchair grandkids slippers
groom bride : wedding altar ring vows
hero heroine : adventure novel rescue quest
husband wife : marriage anniversary spouse household
king queen : crown throne kingdom reign
landlord landlady : tenant rent flat lease
nephew niece : cousins relatives visit christening
policeman policewoman : patrol badge arrest uniform
prince princess : castle royal heir fairytale
son daughter : inheritance offspring firstborn family
stepfather stepmother : stepchildren remarriage household family
stepbrother stepsister : remarriage siblings blended family
uncle aunt : cousins visit family holidays
waiter waitress : restaurant menu tray tip
wizard witch : spell potion broom cauldron
monk nun : prayer abbey vow silence
duke duchess : manor estate hunting noble
"""
